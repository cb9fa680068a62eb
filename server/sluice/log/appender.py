"""Group commit: callers hand records over, and each is answered when the write that holds it is durable.

What waits while a commit runs is written together by the next one, with one write and one fdatasync, in a thread of
its own: the event loop never blocks, there is no timer, and a lone record waits for nothing.

    append ──► commit_queue.py ──► a batch ──► segment_writer.py, in job_thread.py ──► the callers are answered

What a failure does to the segment: segment_writer.py. When a segment is sealed: sealing.py. How much may wait for the
lake: budget.py. A disk that hangs keeps the thread busy, and nobody waiting: after some seconds whoever waits is
answered, and no more is taken until it goes on.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from sluice.framing import frame_buffers
from sluice.log.arrival import ArrivalTimes
from sluice.log.commit_queue import CommitQueue, Waiting, unavailable
from sluice.log.failing import WriterFailed
from sluice.log.job_thread import JobThread
from sluice.log.metrics import ACCEPTED, Failure, Figures
from sluice.log.outage import LogOutage, Overload
from sluice.log.ports import Entry
from sluice.log.record import encode
from sluice.log.sealing import SealLimits, SealReason
from sluice.log.segment import Folders, node_name
from sluice.log.segment_writer import SegmentWriter
from sluice.outage import DISK_HANGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.log.sealing import Run
    from sluice.log.segment_writer import Batch

__all__ = ["STALLS_AFTER_S", "GroupCommit", "SegmentAppender"]

# SDKs wait 3 to 20 s for an answer. A commit of 64 MiB takes that long only on a disk of less than 13 MiB/s.
STALLS_AFTER_S = 5.0

_MIB = 1024 * 1024

# A timer that comes a little early would find nothing due.
_TIMER_SLACK_S = 0.002


_EntryT = TypeVar("_EntryT")


class GroupCommit(ABC, Generic[_EntryT]):
    """Appends entries to local segments, one open at a time; lives in one event loop.

    Args:
        folder: the log's, `log/` of the data folder.
        node: who writes; stands in every record and segment id, in lower case with all but a-z, 0-9 as _.
        index: which of the node's writers it is, from 0; no two at a time have the same.
        seal_age_s: a segment is sealed this long after its first record, also when no other one comes.
        seal_size_bytes: a segment is sealed when it has as much.
        queue_bytes: what may wait for the disk, what is being written included. One record always may.
        min_free_bytes: with less free on the disk, records are refused.
        max_log_bytes: with more in all segments that wait, records are refused; None: only the disk bounds them.
        stalls_after_s: what the disk takes longer for counts as hanging: who waits is answered.
        clock: nanoseconds since the epoch.
    """

    _figures: ClassVar[Figures]

    def __init__(
        self,
        folder: Path,
        node: str,
        *,
        index: int = 0,
        seal_age_s: float,
        seal_size_bytes: int,
        queue_bytes: int,
        min_free_bytes: int = 64 * _MIB,
        max_log_bytes: int | None = None,
        stalls_after_s: float = STALLS_AFTER_S,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._node = node_name(node)
        self._limits = SealLimits(age_s=seal_age_s, size_bytes=seal_size_bytes)
        self._writer = SegmentWriter(
            Folders(folder),
            node=self._node,
            index=index,
            limits=self._limits,
            min_free_bytes=min_free_bytes,
            max_log_bytes=max_log_bytes,
            figures=self._figures,
        )
        self._folder = folder
        self._stalls_after_s = stalls_after_s
        self._arrivals = ArrivalTimes(clock)
        self._queue = CommitQueue(queue_bytes, self._figures.queue_bytes)
        self._overload = Overload(self._figures)
        self._outage: LogOutage | None = None
        self._in_commit: tuple[Batch, list[Waiting]] | None = None
        self._asked_to_seal: list[asyncio.Future[bool]] = []
        self._is_accepting = False
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._close_begun = asyncio.Event()
        self._seal_timer: asyncio.TimerHandle | None = None
        self._seal_check_due = False
        self._look_due = False

    async def start(self) -> None:
        """Make the folders and try the disk. Returns when it refuses, too: `healthy` tells, and it is tried again."""
        self._loop = asyncio.get_running_loop()
        self._thread = JobThread(f"log-{self._node}", self._loop)
        self._begin_outage_after(await self._try(self._writer.mend))
        self._is_accepting = True
        self._task = self._loop.create_task(self._run(), name=f"log-{self._node}")

    @staticmethod
    @abstractmethod
    def _encode(entry: _EntryT, *, received_at_us: int, node: str) -> tuple[bytes, ...]:
        """The bytes of an entry's record, in parts."""

    @staticmethod
    @abstractmethod
    def _size_of(entry: _EntryT) -> int:
        """About how many bytes it takes."""

    async def append(self, entry: _EntryT) -> None:
        """Return when the entry is durable; see `sluice.log.ports.Appender.append`."""
        if self._outage is not None:
            self._outage.refused(1)
            raise unavailable()
        if not self._is_accepting:
            raise unavailable()
        size = self._size_of(entry)
        if not self._queue.has_room_for(size):
            self._overload.refused(
                waiting_bytes=self._queue.waiting_bytes,
                limit_bytes=self._queue.limit_bytes,
                asked_bytes=size,
            )
            raise unavailable()
        received_at_us, run = self._arrivals.next()
        buffers = frame_buffers(*self._encode(entry, received_at_us=received_at_us, node=self._node))
        durable: asyncio.Future[None] = self._loop.create_future()
        self._queue.put(Waiting(buffers, sum(map(len, buffers)), run, durable))
        self._wake.set()
        # A caller that is cancelled cancels this future, and nothing else.
        await durable

    @property
    def healthy(self) -> bool:
        """As `sluice.log.ports.Appender.healthy`."""
        return self._is_accepting and self._outage is None

    def look(self) -> None:
        """Let it be seen whether there is room, unless a commit sees to that: a full disk is known before a post."""
        self._look_due = True
        self._wake.set()

    async def seal(self) -> bool:
        """Seal the open segment now, if there is one; False where the disk refuses, and the segment waits for it."""
        if self._outage is not None:
            return False
        if not self._is_accepting:
            return self._writer.open is None
        sealed: asyncio.Future[bool] = self._loop.create_future()
        self._asked_to_seal.append(sealed)
        self._wake.set()
        return await sealed

    async def close(self) -> None:
        """Take no more, make durable what waits, and seal. What can't be sealed is left to recovery, with an ERROR."""
        self._is_accepting = False
        self._close_begun.set()
        self._wake.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while self._queue or self._asked_to_seal or not self._close_begun.is_set():
                if self._outage is None:
                    self._begin_outage_after(await self._turn())
                elif self._close_begun.is_set():
                    break
                else:
                    await self._mend(self._outage)
            self._begin_outage_after(await self._try(self._writer.close))
        finally:
            # However it ends, nobody waits for an answer that can't come.
            self._is_accepting = False
            self._refuse_what_waits()
            if self._seal_timer is not None:
                self._seal_timer.cancel()
            self._thread.end()

    async def _turn(self) -> Exception | None:
        """Do what is to be done next, or wait until there is something; return why it failed."""
        if self._asked_to_seal:
            asked, self._asked_to_seal = self._asked_to_seal, []
            error = await self._try(partial(self._writer.seal, SealReason.ASKED))
            _answer(asked, error is None)
            return error
        if self._queue:
            return await self._commit()
        if self._seal_check_due or self._room_left() <= 0:
            self._seal_check_due = False
            _, now = self._arrivals.next()
            return await self._try(partial(self._writer.seal_if_due, now))
        if self._look_due:
            self._look_due = False
            return await self._try(self._writer.require_room)
        self._set_seal_timer()
        self._wake.clear()
        await self._wake.wait()
        return None

    async def _commit(self) -> Exception | None:
        self._look_due = False
        batch, taken = self._in_commit = self._queue.take(self._room_for)
        error = await self._try(partial(self._writer.commit, batch))
        if self._in_commit is None:
            return error  # they are answered: it took too long
        self._in_commit = None
        if error is not None:
            self._outage = self._outage or LogOutage(self._figures)
            self._outage.refused(len(taken))
        # Their callers go on only when this task waits again, so the thread has its next batch before they do.
        self._queue.answer(taken, durable=error is None)
        return error

    async def _mend(self, outage: LogOutage) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._close_begun.wait(), outage.next_back_off_s())
            return
        error = await self._try(self._writer.mend)
        if error is None:
            self._outage = None
            outage.over()
        else:
            outage.failed(error)

    async def _try(self, work: Callable[[], None]) -> Exception | None:
        watch = self._loop.call_later(self._stalls_after_s, self._on_stall)
        try:
            await self._thread.do(work)
        except Exception as exc:  # noqa: BLE001  whatever it is, callers wait for an answer, and mending comes next
            return exc
        finally:
            watch.cancel()
        return None

    def _on_stall(self) -> None:
        """The disk hangs in what the thread does: answer all that wait, and take no more until it has ended."""
        self._begin_outage_after(
            WriterFailed(
                f"the disk has not answered for {self._stalls_after_s:g} s",
                cause=Failure.STALL,
                path=self._folder,
                hint=DISK_HANGS,
            )
        )
        if self._in_commit is None:
            return
        batch, taken = self._in_commit
        # Where it just became durable after all, its answer is on its way.
        if batch.decide():
            self._in_commit = None
            assert self._outage is not None
            self._outage.refused(len(taken))
            self._queue.answer(taken, durable=False)

    def _begin_outage_after(self, error: Exception | None) -> None:
        if error is not None:
            self._outage = self._outage or LogOutage(self._figures)
            self._outage.failed(error)
            self._outage.refused(self._refuse_what_waits())

    def _refuse_what_waits(self) -> int:
        """Nothing of it was written. Returns how many records it is."""
        waiting = self._queue.take_all()
        self._queue.answer(waiting, durable=False)
        asked, self._asked_to_seal = self._asked_to_seal, []
        _answer(asked, False)
        return len(waiting)

    def _room_left(self) -> int:
        segment = self._writer.open
        return self._limits.size_bytes - (segment.size_bytes if segment else 0)

    def _room_for(self, run: Run) -> int:
        """Bytes until a segment of that run is full: the open one, if it can go on, or a new one."""
        segment = self._writer.open
        left = self._room_left()
        return left if segment and segment.run == run and left > 0 else self._limits.size_bytes

    def _set_seal_timer(self) -> None:
        segment = self._writer.open
        if segment is None or self._seal_timer is not None:
            return
        age_left_s = segment.opened_at_s + self._limits.age_s - time.monotonic()
        delay_s = min(age_left_s, self._arrivals.seconds_to_next_hour())
        self._seal_timer = self._loop.call_later(max(0.0, delay_s) + _TIMER_SLACK_S, self._on_seal_timer)

    def _on_seal_timer(self) -> None:
        self._seal_timer = None
        self._seal_check_due = True
        self._wake.set()


class SegmentAppender(GroupCommit[Entry]):
    """Appends accepted requests. See `sluice.log.ports.Appender`."""

    _figures = ACCEPTED
    _encode = staticmethod(encode)

    @staticmethod
    def _size_of(entry: Entry) -> int:
        return len(entry.body)


def _answer(asked: list[asyncio.Future[bool]], value: bool) -> None:
    for future in asked:
        if not future.done():
            future.set_result(value)
