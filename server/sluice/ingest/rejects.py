"""Keeps what was refused: requests of known keys, in the log of refused requests, beside the way of those accepted.

    keep        a refused request: its answer doesn't wait, and nothing that goes wrong here changes it
    set_aside   the bad events of a request whose good ones are accepted: returns when they are durable, or raises

What may be kept of a body: refused_body.py. What bounds it: the bytes of an hour, those that wait for the disk, and
those on disk that wait for the lake (the log's own limits). What is beyond is counted, and told once an hour.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sluice.ingest import metrics
from sluice.ingest.refused_body import Refused, entry_of
from sluice.log.group_commit import STALLS_AFTER_S
from sluice.log.ports import LogUnavailable
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.log.refused import RefusedEntry

__all__ = ["DropReason", "HourBudget", "RefusedLog", "Rejects"]

# What is slow by the byte is done in a thread for a larger body.
_INLINE_BYTES = 256 * 1024
# A refused request is more than its body, while it waits.
_OVERHEAD_BYTES = 2048
# Those that come within it share a commit, so that a flood of them leaves the disk to those that are accepted.
_PAUSE_S = 0.1
_CLOSE_WITHIN_S = 5.0
_SEAL_WITHIN_S = 1.0
_S_PER_HOUR = 3600

_messages = messages_of("ingest")


class DropReason(Enum):
    """Why a refused request is not kept; the values are metric labels."""

    HOUR_BUDGET = "hour_budget"
    QUEUE_FULL = "queue_full"
    LOG_UNAVAILABLE = "log_unavailable"
    FAULT = "internal_fault"


for _reason in DropReason:
    metrics.REJECTS_DROPPED.labels(_reason.value)


class RefusedLog(Protocol):
    """Where refused requests become durable."""

    async def start(self) -> None:
        """Make the folders and try the disk; returns when it refuses, too."""

    async def append(self, entry: RefusedEntry) -> None:
        """Return when the entry is durable.

        Raises:
            LogUnavailable: it can't become so now.
        """

    async def seal(self) -> bool:
        """Seal the open segment now, if there is one."""

    async def close(self) -> None:
        """Write what was handed over, and seal."""


class HourBudget:
    """How many bytes of refused requests one worker keeps of an hour.

    Args:
        limit_bytes: of an hour of the clock.
        clock: seconds since the epoch.
    """

    def __init__(self, limit_bytes: int, clock: Callable[[], float] = time.time) -> None:
        self.limit_bytes = limit_bytes
        self._clock = clock
        self._hour = -1
        self._used_bytes = 0

    @property
    def hour(self) -> int:
        """The number of the hour that is now."""
        return int(self._clock()) // _S_PER_HOUR

    def has(self, size_bytes: int) -> bool:
        """Whether so much is left of this hour's."""
        hour = self.hour
        if hour != self._hour:
            self._hour, self._used_bytes = hour, 0
        return self._used_bytes + size_bytes <= self.limit_bytes

    def take(self, size_bytes: int) -> bool:
        """Take so much of this hour's; False: it isn't left."""
        if not self.has(size_bytes):
            return False
        self._used_bytes += size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Give back what was taken for what could not be kept."""
        self._used_bytes = max(0, self._used_bytes - size_bytes)


class Rejects:
    """Keeps the refused requests of one worker.

    Args:
        log: where they become durable. It is started with the first that is kept.
        budget: of an hour.
        waiting_bytes: of refused requests that are on their way to the disk; one always may be.
    """

    def __init__(self, log: RefusedLog, *, budget: HourBudget, waiting_bytes: int) -> None:
        self._log = log
        self._budget = budget
        self._limit_bytes = waiting_bytes
        self._waiting: deque[Refused] = deque()
        self._waiting_bytes = 0
        self._drain: asyncio.Task[None] | None = None
        self._start: asyncio.Task[None] | None = None
        self._told: dict[DropReason, int] = {}
        self._is_closing = False

    def keep(self, refused: Refused) -> None:
        """Keep a refused request, soon; or count that it can't be kept."""
        if not self._budget.limit_bytes:
            return
        size = len(refused.body) + _OVERHEAD_BYTES
        if not self._budget.has(len(refused.body) if refused.may_be_kept else 0):
            self._drop(DropReason.HOUR_BUDGET)
        elif self._waiting_bytes and self._waiting_bytes + size > self._limit_bytes:
            self._drop(DropReason.QUEUE_FULL)
        else:
            self._waiting.append(refused)
            self._waiting_bytes += size
            if self._drain is None:
                self._drain = asyncio.create_task(self._keep_those_that_wait())

    async def set_aside(self, entry: RefusedEntry) -> None:
        """Return when the events of an accepted request that are set aside are durable.

        Raises:
            LogUnavailable: they can't be kept now: by the disk, the hour's budget, or as too much waits.
        """
        if not self._budget.take(entry.size_bytes):
            self._drop(DropReason.HOUR_BUDGET)
            raise LogUnavailable("no more events can be set aside in this hour; send the batch again later")
        try:
            async with asyncio.timeout(STALLS_AFTER_S):
                await self._started()
            await self._log.append(entry)
        except (LogUnavailable, TimeoutError) as exc:
            self._budget.give_back(entry.size_bytes)
            self._drop(DropReason.LOG_UNAVAILABLE)
            raise LogUnavailable("events can't be set aside now; send the batch again later") from exc
        metrics.REJECTS_KEPT.labels(entry.reason.value).inc()

    async def seal(self) -> None:
        """Bring what waits to the log, and seal it; more may come all the time, and is not waited for long."""
        if self._drain is not None:
            await asyncio.wait({self._drain}, timeout=_SEAL_WITHIN_S)
        if self._start is not None:
            await self._started()
            await self._log.seal()

    async def close(self) -> None:
        """Write what waits, and seal; what takes too long is left."""
        self._is_closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                if self._drain is not None:
                    await self._drain
                if self._start is not None:
                    await self._started()
                    await self._log.close()

    async def _started(self) -> None:
        if self._start is None:
            self._start = asyncio.create_task(self._log.start())
        await asyncio.shield(self._start)

    async def _keep_those_that_wait(self) -> None:
        try:
            await self._started()
            while self._waiting:
                taken, self._waiting = self._waiting, deque()
                size = sum(len(refused.body) + _OVERHEAD_BYTES for refused in taken)
                try:
                    await asyncio.gather(*[self._append(entry) for entry in await self._entries(taken)])
                finally:
                    self._waiting_bytes -= size
                if not self._is_closing:
                    await asyncio.sleep(_PAUSE_S)
        finally:
            self._drain = None

    async def _entries(self, taken: deque[Refused]) -> list[RefusedEntry]:
        """What is to be written of them; one after the other, as each may take a while."""
        entries: list[RefusedEntry] = []
        while taken:
            refused = taken.popleft()
            large = len(refused.body) > _INLINE_BYTES
            try:
                entry = await asyncio.to_thread(entry_of, refused) if large else entry_of(refused)
            except Exception:  # noqa: BLE001  whatever it is, the others are kept
                _messages.exception("a refused request is not kept by a fault")
                self._drop(DropReason.FAULT)
                continue
            if self._budget.take(entry.size_bytes):
                entries.append(entry)
            else:
                self._drop(DropReason.HOUR_BUDGET)
        return entries

    async def _append(self, entry: RefusedEntry) -> None:
        try:
            await self._log.append(entry)
        except LogUnavailable:
            self._budget.give_back(entry.size_bytes)
            self._drop(DropReason.LOG_UNAVAILABLE)
        except Exception:  # noqa: BLE001  as above
            _messages.exception("a refused request is not kept by a fault")
            self._drop(DropReason.FAULT)
        else:
            metrics.REJECTS_KEPT.labels(entry.reason.value).inc()

    def _drop(self, reason: DropReason) -> None:
        metrics.REJECTS_DROPPED.labels(reason.value).inc()
        hour = self._budget.hour
        # Of a log in trouble its own messages tell.
        if reason is DropReason.LOG_UNAVAILABLE or self._told.get(reason) == hour:
            return
        self._told[reason] = hour
        _messages.warning(
            "refused requests are not kept; told once an hour, and counted in sluice_rejects_dropped_total",
            reason=reason.value,
            limit_bytes=self._limit_bytes if reason is DropReason.QUEUE_FULL else self._budget.limit_bytes,
            hint="a worker's share of rejects-per-hour; what is refused, and of whom: sluice rejects list",
        )
