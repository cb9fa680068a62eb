"""The loop of the lake writer's process: the tables take turns, and one that fails holds up no other."""

from __future__ import annotations

import os
import select
import signal
import time
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sluice.log.backlog import pause_after_look

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Loop", "Outcome", "Writer"]

_POLL_S = 0.25
_ASKED_S = 2.0
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0
# A stop waits no longer for a lake that refuses: what waits is safe in the log.
_DRAIN_TRIES = 3


class Outcome(Enum):
    """What one turn came to."""

    IDLE = "idle"
    PUBLISHED = "published"
    FAILED = "failed"


class Writer(Protocol):
    """Who writes a table."""

    @property
    def leaves_some(self) -> bool:
        """Whether something waited that couldn't be published, or was not due, when it came to rest."""

    def run_once(self, now: float, *, at_once: bool = False) -> Outcome:
        """Publish one file, if one is due.

        Args:
            now: seconds since the epoch.
            at_once: whatever is sealed is due.
        """


class _Turns:
    """One table's turns, and how long it waits after them."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._failures = 0
        self._due_at = 0.0
        self.is_idle = False

    @property
    def has_failed_too_often(self) -> bool:
        """Whether it failed several times, one after the other."""
        return self._failures >= _DRAIN_TRIES

    @property
    def leaves_some(self) -> bool:
        """Whether something still waits."""
        return self.has_failed_too_often or self._writer.leaves_some

    def take(self, *, at_once: bool) -> float:
        """Take a turn if one is due; return when the next is, on the monotonic clock."""
        began = time.monotonic()
        if began < self._due_at:
            return self._due_at
        outcome = self._writer.run_once(time.time(), at_once=at_once)
        self.is_idle = outcome is Outcome.IDLE
        if outcome is Outcome.FAILED:
            self._failures += 1
            wait_s = min(_FIRST_RETRY_S * 2 ** (self._failures - 1), _LAST_RETRY_S)
        else:
            self._failures = 0
            took_s = time.monotonic() - began
            wait_s = pause_after_look(took_s, at_least_s=_POLL_S) if self.is_idle else 0.0
        self._due_at = time.monotonic() + wait_s
        return self._due_at

    def hurry(self) -> None:
        """Let the next turn be due now."""
        self._due_at = 0.0

    def begin_anew(self) -> None:
        """Forget what the turns before came to."""
        self._failures = 0
        self.is_idle = False
        self.hurry()


class Loop:
    """The loop around the tables' turns, and what ends it.

    Args:
        writers: of the tables, the most urgent first.
        lifeline_fd: read end of a pipe that ends with the supervisor; None: there is no supervisor.
    """

    def __init__(self, writers: Sequence[Writer], lifeline_fd: int | None) -> None:
        self._tables = [_Turns(writer) for writer in writers]
        self._lifeline_fd = lifeline_fd
        self._wake_read, self._wake_write = os.pipe()
        self._asked_until = 0.0
        self._draining = False

    def listen(self) -> None:
        """Take signals from now on; the supervisor may have held them back until here."""
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGUSR1, self._on_sigusr1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR1})

    def run(self) -> int:
        """Publish until told to stop; return the exit code."""
        while not self._draining:
            at_once = time.monotonic() < self._asked_until
            due_at = min([table.take(at_once=at_once) for table in self._tables])
            if not self._wait(due_at - time.monotonic()):
                return 0
        return self._publish_what_is_left()

    def _publish_what_is_left(self) -> int:
        for table in self._tables:
            table.begin_anew()
        left = self._tables
        while left := [table for table in left if not table.is_idle and not table.has_failed_too_often]:
            due_at = min([table.take(at_once=True) for table in left])
            if any(not table.is_idle for table in left) and not self._wait(due_at - time.monotonic()):
                return 0
        return int(any(table.leaves_some for table in self._tables))

    def _wait(self, seconds: float) -> bool:
        """Wait for the time, or a signal; False when the supervisor is gone."""
        watched = [self._wake_read, *([] if self._lifeline_fd is None else [self._lifeline_fd])]
        ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
            for table in self._tables:
                table.hurry()
        return self._lifeline_fd not in ready

    def _on_sigterm(self, _number: int, _frame: object) -> None:
        self._draining = True
        # The next one ends the process wherever it is: every step of publishing can be repeated.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _on_sigusr1(self, _number: int, _frame: object) -> None:
        self._asked_until = time.monotonic() + _ASKED_S
