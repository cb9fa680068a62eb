"""The ingest workers: one keeper and one watch of health each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sluice.supervisor.health import Health, HealthWatch
from sluice.supervisor.keeper import End, Keeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sluice.supervisor.child import Child

__all__ = ["KeptWorker"]


class KeptWorker:
    """A worker that is kept running, and replaced when it hangs.

    Args:
        index: which worker it is, from 0.
        socket: what it listens on.
        start: starts it.
        after_end: what has to be done when a run has ended, before the next.
    """

    def __init__(
        self,
        *,
        index: int,
        socket: Path,
        start: Callable[[], Awaitable[Child]],
        after_end: Callable[[End], Awaitable[None]],
    ) -> None:
        self._socket = socket
        self._start = start
        self._after_end = after_end
        self._watch: HealthWatch | None = None
        self.keeper = Keeper(role=f"worker-{index}", start=self._start_watched, after_end=self._end_watch)

    async def tick(self, now: float) -> bool:
        """Look after it; return whether a process was started, or has ended."""
        # One that finishes what it has takes no calls any more, so it does not answer either.
        if not self.keeper.is_stopping and self.health(now) is Health.HANGS:
            self.keeper.kill("it does not answer health checks")
            await self._close_watch()
        return await self.keeper.tick(now)

    def health(self, now: float) -> Health:
        """What is known of it."""
        return Health.STARTING if self._watch is None else self._watch.health(now)

    async def _start_watched(self) -> Child:
        child = await self._start()
        self._watch = HealthWatch(self._socket, now=asyncio.get_running_loop().time())
        return child

    async def _end_watch(self, end: End) -> None:
        await self._close_watch()
        await self._after_end(end)

    async def _close_watch(self) -> None:
        if self._watch is not None:
            await self._watch.close()
            self._watch = None
