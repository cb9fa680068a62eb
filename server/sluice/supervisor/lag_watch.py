"""How far the lake is behind, looked at each second beside the loop.

What was seen last stands while the disk refuses or hangs.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sluice.log.backlog import pause_after_look
from sluice.supervisor.beside import beside
from sluice.supervisor.figures import LakeLag
from sluice.supervisor.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LagWatch"]

_LOOK_EVERY_S = 1.0


class LagWatch:
    """Looks again and again.

    Args:
        look: finds the lag; blocks, and may raise OSError.
        clock: seconds on the monotonic clock.
    """

    def __init__(self, look: Callable[[], LakeLag], clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._lag = LakeLag()
        self._looked_at = self._began_at = clock()
        self._due_at = 0.0
        self._retry = Retry(
            self._begin,
            self._end,
            label="log_unlisted",
            fails="the log can't be looked at",
            is_over="the log can be looked at again",
        )

    @property
    def lag(self) -> LakeLag:
        """As of the last look that succeeded."""
        return self._lag

    @property
    def looked_at(self) -> float:
        """When that look began, in seconds on the monotonic clock; before the first: when the service was started."""
        return self._looked_at

    def tick(self, now: float) -> None:
        """Look, if it is time; see what has come of a look."""
        if now >= self._due_at:
            self._due_at = now + _LOOK_EVERY_S
            self._retry.ask()
        self._retry.tick(now)

    async def look_at_last(self, *, within_s: float) -> LakeLag:
        """Look once more, whatever looks are still under way.

        Raises:
            OSError: it can't be looked at; TimeoutError: not in this time.
        """
        async with asyncio.timeout(within_s):
            return await beside(self._look, name="last look")

    def _begin(self) -> Callable[[], tuple[LakeLag, float]]:
        self._began_at = self._clock()
        return self._look_and_measure

    def _look_and_measure(self) -> tuple[LakeLag, float]:
        # Of this thread's processor time: a disk that hung is no reason to look less often.
        began = time.thread_time()
        lag = self._look()
        return lag, time.thread_time() - began

    def _end(self, seen: tuple[LakeLag, float]) -> None:
        self._lag, took_s = seen
        self._looked_at = self._began_at
        self._due_at = self._began_at + pause_after_look(took_s, at_least_s=_LOOK_EVERY_S)
