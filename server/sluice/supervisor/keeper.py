"""Keeps one child running: started, started anew when it has ended, each time a little later."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.errors import SluiceError
from sluice.outage import Outage, cause_of, hint_of
from sluice.supervisor import metrics
from sluice.supervisor.process_id import catches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sluice.supervisor.child import Child

__all__ = ["FIRST_PAUSE_S", "LONGEST_PAUSE_S", "STEADY_AFTER_S", "End", "Keeper", "pause_before_start"]

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
# A child that ran this long was well: what ended it is no reason to wait longer the next time.
STEADY_AFTER_S = 30.0

# Two signals of one kind are one to a process that was too busy to take the first: the second is sent until it acts.
_BETWEEN_SIGNALS_S = 0.2

_messages = telemetry.messages_of("supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a child's run ended.

    Attributes:
        role: which child.
        pid: its process id, which is free now.
        exit_code: its exit code, or the negative number of the signal that ended it.
        asked: it was told to end.
        quick_ends: how many runs in a row ended soon after their start, this one included.
    """

    role: str
    pid: int
    exit_code: int
    asked: bool
    quick_ends: int


class _State(Enum):
    NEW = "new"
    DUE = "due"
    RUNS = "runs"
    STOPPED = "stopped"


def pause_before_start(quick_ends: int) -> float:
    """How long to wait before the next start, in seconds, when so many runs in a row have ended soon."""
    return 0.0 if quick_ends == 0 else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(quick_ends - 1, 10))


class Keeper:
    """One child's place: there is at most one process in it at any time.

    A successor is started only when the one before has been reaped, and what has to be done after its end is done.

    Args:
        role: the child's name in run.json and messages.
        start: starts it.
        after_end: what has to be done when a run has ended, before the next.
    """

    def __init__(
        self, *, role: str, start: Callable[[], Awaitable[Child]], after_end: Callable[[End], Awaitable[None]]
    ) -> None:
        self.role = role
        self.child: Child | None = None
        self.started_at = 0.0
        self._new_child = start
        self._after_end = after_end
        self._state = _State.NEW
        self._was_started = False
        self._due_at = 0.0
        self._quick_ends = 0
        self._at_once = False
        self._killed: Child | None = None
        self._told_at = -math.inf
        self._start_outage = Outage(
            _messages, fails="child can't be started, and is tried again", is_over="child can be started again"
        )

    @property
    def quick_ends(self) -> int:
        """How many runs in a row have ended soon after their start, or could not be started."""
        return self._quick_ends

    @property
    def is_new(self) -> bool:
        """It was never started, nor told to stop before that."""
        return self._state is _State.NEW

    @property
    def is_stopping(self) -> bool:
        """It was told to end."""
        return self._state is _State.STOPPED

    @property
    def is_over(self) -> bool:
        """It was told to end, and has ended."""
        return self._state is _State.STOPPED and self.child is None

    async def start_first(self, now: float) -> None:
        """Start it for the first time.

        Raises:
            SluiceError: it can't be started at all.
            OSError: no process can be made.
        """
        self.child = await self._new_child()
        self.started_at = now
        self._state = _State.RUNS
        self._was_started = True

    def begin(self, now: float) -> None:
        """Let the next tick start it for the first time; one that can't be started is tried again."""
        if self._state is _State.NEW:
            self._state = _State.DUE
            self._due_at = now

    async def tick(self, now: float) -> bool:
        """Look after it; return whether a process was started, or has ended."""
        if self.child is not None:
            self._tell_to_end(self.child, now)
            return await self._reap(self.child, now)
        if self._state is _State.DUE and now >= self._due_at:
            return await self._start(now)
        return False

    def stop(self) -> None:
        """Let it finish and end, by one SIGTERM as soon as it has a handler for it; start it no more."""
        self._state = _State.STOPPED

    def stop_at_once(self) -> None:
        """Let it end without finishing: by a second SIGTERM, or by the first if it has no handler for it yet."""
        self._state = _State.STOPPED
        self._at_once = True

    def kill(self, why: str) -> None:
        """End it by SIGKILL; it is started anew unless it was told to stop."""
        if self.child is not None:
            _messages.warning("child killed", child=self.role, pid=self.child.identity.pid, why=why)
            self.child.send(signal.SIGKILL)
            self._killed = self.child

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal that it has a handler for; before it has, as just after its start, nothing is sent."""
        if self.child is not None and catches(self.child.identity.pid, number):
            self.child.send(number)

    def _tell_to_end(self, child: Child, now: float) -> None:
        if self._state is not _State.STOPPED:
            return
        is_due = now - self._told_at >= _BETWEEN_SIGNALS_S if self._at_once else self._told_at == -math.inf
        if is_due and (self._at_once or catches(child.identity.pid, signal.SIGTERM)):
            child.send(signal.SIGTERM)
            self._told_at = now

    async def _reap(self, child: Child, now: float) -> bool:
        exit_code = child.exit_code
        if exit_code is None:
            return False
        self.child = None
        asked = self._state is _State.STOPPED
        self._quick_ends = 0 if now - self.started_at >= STEADY_AFTER_S else self._quick_ends + 1
        end = End(role=self.role, pid=child.identity.pid, exit_code=exit_code, asked=asked, quick_ends=self._quick_ends)
        if not asked:
            self._state = _State.DUE
            self._due_at = now + pause_before_start(self._quick_ends)
            said = "a child that was killed has ended" if child is self._killed else "child ended by itself"
            _messages.warning(said, child=self.role, pid=end.pid, exit_code=exit_code)
        await self._after_end(end)
        return True

    async def _start(self, now: float) -> bool:
        is_first = not self._was_started
        try:
            await self.start_first(now)
        except (SluiceError, OSError) as exc:
            self._quick_ends += 1
            self._due_at = now + pause_before_start(self._quick_ends)
            metrics.FAILURES.labels("child_start").inc()
            self._start_outage.failed(cause_of(exc), child=self.role, error=str(exc), hint=hint_of(exc))
            return False
        self._start_outage.over(child=self.role)
        assert self.child is not None
        if not is_first:
            _messages.info("child started again", child=self.role, pid=self.child.identity.pid)
        return True
