"""When the log is recovered: before the first worker starts, and after a child's death, each time until it succeeds.

A segment that the disk does not let go on with holds up nobody: the others are sealed, workers start, and it is tried
again until it is sealed too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.outage import cause_of
from sluice.supervisor.retry import RETRY_S, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.log import RecoveryReport

__all__ = ["Recovery"]


class Recovery:
    """Runs recovery beside the loop, which goes on turning.

    Args:
        recover: seals the open segments whose lock is free, and is told what the run before came to; blocks, and may
            raise OSError or SluiceError.
    """

    def __init__(self, recover: Callable[[RecoveryReport | None], RecoveryReport]) -> None:
        self._recover = recover
        self._before: RecoveryReport | None = None
        self._task: asyncio.Task[RecoveryReport] | None = None
        self._is_unseen = False
        self._retry = Retry(
            label="recovery", fails="recovery failed, and is tried again", is_over="recovery has succeeded"
        )

    @property
    def has_run(self) -> bool:
        """It has come to its end once: what no living process holds is sealed, but for what the disk refuses."""
        return self._before is not None

    @property
    def has_seen_all(self) -> bool:
        """A run that began after it was asked for last has come to its end: what the disk refuses may be left."""
        return not self._is_unseen and self._task is None

    def ask(self) -> None:
        """Recover soon: a process has died that may have had a segment open."""
        self._is_unseen = True
        self._retry.ask()

    def tick(self, now: float) -> None:
        """Begin, or see what has come of it."""
        if self._task is not None:
            if not self._task.done():
                return
            task, self._task = self._task, None
            self._look_at(task, now)
        if self._retry.begins(now):
            self._is_unseen = False
            self._task = asyncio.create_task(asyncio.to_thread(self._recover, self._before))

    def _look_at(self, task: asyncio.Task[RecoveryReport], now: float) -> None:
        error = task.exception()
        if isinstance(error, SluiceError | OSError):
            self._is_unseen = True
            self._failed(now, cause=cause_of(error), error=str(error), segments=0)
        elif error is not None:
            raise error
        else:
            self._before = task.result()
            if self._before.failed:
                self._failed(now, cause="segments", error="see the messages above", segments=len(self._before.failed))
            else:
                self._retry.succeeded()

    def _failed(self, now: float, *, cause: str, error: str, segments: int) -> None:
        self._retry.failed(now, cause, error=error, segments=segments, again_every_s=RETRY_S)
