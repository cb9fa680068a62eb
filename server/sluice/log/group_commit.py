"""Group commit: callers hand records over, and each is answered when the write that holds it is durable.

What waits while a commit runs is written together by the next one, with one write and one fdatasync: there is no timer,
and a lone record waits for nothing.

    put ──► commit_queue.py ──► turn: a batch ──► segment_writer.py ──► the callers are answered

`put` may be called by any thread. `turn` does what is to be done next and blocks while the disk works; appender.py has
a thread that calls it. What a failure does to the segment: segment_writer.py. When a segment is sealed: sealing.py. How
much may wait for the lake: budget.py. A disk that hangs keeps `turn` busy, and nobody waiting: `look_for_stall`, which
another thread calls, answers whoever waits, and no more is taken until the disk goes on.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from sluice.framing import frame_buffers
from sluice.log.arrival import ArrivalTimes
from sluice.log.commit_queue import CommitQueue, Waiting
from sluice.log.failing import WriterFailed
from sluice.log.metrics import Failure, Figures
from sluice.log.outage import LogOutage, Overload
from sluice.log.ports import LogUnavailable
from sluice.log.sealing import SealLimits, SealReason
from sluice.log.segment import Folders, node_name
from sluice.log.segment_writer import SegmentWriter
from sluice.outage import DISK_HANGS
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sluice.log.sealing import Run
    from sluice.log.segment_writer import Batch

    Job = Callable[[], object]

__all__ = ["STALLS_AFTER_S", "GroupCommit", "unavailable"]

# SDKs wait 3 to 20 s for an answer. A commit of 64 MiB takes that long only on a disk of less than 13 MiB/s.
STALLS_AFTER_S = 5.0

_MIB = 1024 * 1024

# What is looked at a little early would find nothing due.
_EARLY_S = 0.002

_messages = messages_of("log")

_EntryT = TypeVar("_EntryT")


class GroupCommit(ABC, Generic[_EntryT]):
    """Appends entries to local segments, one open at a time.

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
        self._overload = Overload(self._figures)
        # All below is read and written under it, but for what `turn` alone does.
        self._lock = threading.Lock()
        self._something_to_do = threading.Condition(self._lock)
        self._arrivals = ArrivalTimes(clock)
        self._queue = CommitQueue(queue_bytes, self._figures.queue_bytes)
        self._outage: LogOutage | None = None
        self._in_commit: tuple[Batch, list[Waiting]] | None = None
        self._asked_to_seal: list[Callable[[bool], None]] = []
        self._is_accepting = False
        self._is_closing = False
        self._look_due = False
        # When the disk was asked for what it is doing now, and of which such time it was seen that it hangs.
        self._busy_since_s: float | None = None
        self._seen_to_hang: float | None = None

    @staticmethod
    @abstractmethod
    def _encode(entry: _EntryT, *, received_at_us: int, node: str) -> tuple[bytes, ...]:
        """The bytes of an entry's record, in parts."""

    @staticmethod
    @abstractmethod
    def _size_of(entry: _EntryT) -> int:
        """About how many bytes it takes."""

    def put(self, entry: _EntryT, done: Callable[[bool], None]) -> None:
        """Hand an entry over.

        Args:
            entry: what becomes a record.
            done: is told once whether the entry is durable, by the thread that knows it; it must not block.

        Raises:
            LogUnavailable: it can't become durable now; `done` is told nothing.
        """
        size = self._size_of(entry)
        with self._lock:
            self._require_that_it_takes(size)
            received_at_us, run = self._arrivals.next()
            buffers = frame_buffers(*self._encode(entry, received_at_us=received_at_us, node=self._node))
            self._queue.put(Waiting(buffers, sum(map(len, buffers)), run, done))
            self._something_to_do.notify()

    @property
    def healthy(self) -> bool:
        """As `sluice.log.ports.Appender.healthy`."""
        return self._is_accepting and self._outage is None

    def look(self) -> None:
        """Let it be seen whether there is room, unless a commit sees to that: a full disk is known before a post."""
        with self._lock:
            self._look_due = True
            self._something_to_do.notify()

    def ask_to_seal(self, done: Callable[[bool], None]) -> None:
        """Let the open segment be sealed; `done` is told False where the disk refuses, and the segment waits for it."""
        with self._lock:
            if self._is_accepting and self._outage is None:
                self._asked_to_seal.append(done)
                self._something_to_do.notify()
                return
            nothing_is_open = self._outage is None and self._writer.open is None
        done(nothing_is_open)

    def begin(self) -> None:
        """Make the folders and try the disk. Blocks as `turn`; returns when the disk refuses, too, and then mends."""
        self._do(self._writer.mend)
        with self._lock:
            self._is_accepting = not self._is_closing

    def turn(self, *, wait: bool = False) -> bool:
        """Do what is to be done next.

        Args:
            wait: for something to do, where there is nothing.

        Returns:
            Whether there was something.
        """
        if self._outage is not None:
            return self._mend(self._outage, wait=wait)
        job = self._next_job(wait=wait)
        if job is not None:
            job()
        return job is not None

    def begin_close(self) -> None:
        """Take no more. What waits is made durable by `turn`, which doesn't wait any more."""
        with self._lock:
            self._is_accepting = False
            self._is_closing = True
            self._something_to_do.notify_all()

    def end(self) -> None:
        """Seal, when `turn` has nothing to do any more. What can't be sealed is left to recovery, with an ERROR."""
        try:
            self._do(self._writer.close)
        finally:
            self.refuse_what_waits()

    def refuse_what_waits(self) -> None:
        """Answer all that wait: nothing of it was written."""
        with self._lock:
            waiting = self._take_who_waits()
        _tell(waiting, False)

    def look_for_stall(self) -> None:
        """See whether the disk hangs in what `turn` does: then answer all that wait, and take no more until it ends."""
        with self._lock:
            since_s = self._busy_since_s
            if since_s in {None, self._seen_to_hang} or time.monotonic() - since_s < self._stalls_after_s:
                return
            self._seen_to_hang = since_s
            hangs = WriterFailed(
                f"the disk has not answered for {self._stalls_after_s:g} s",
                cause=Failure.STALL,
                path=self._folder,
                hint=DISK_HANGS,
            )
            taken: list[Waiting] = []
            # Where it just became durable after all, its answer is on its way.
            if self._in_commit is not None and self._in_commit[0].decide():
                (_, taken), self._in_commit = self._in_commit, None
                self._queue.let_go(taken)
            waiting = self._begin_outage(hangs, refused=len(taken))
        _tell([*(each.done for each in taken), *waiting], False)

    def _require_that_it_takes(self, size: int) -> None:
        if self._outage is not None:
            self._outage.refused(1)
            raise unavailable()
        if not self._is_accepting:
            raise unavailable()
        if not self._queue.has_room_for(size):
            self._overload.refused(
                waiting_bytes=self._queue.waiting_bytes, limit_bytes=self._queue.limit_bytes, asked_bytes=size
            )
            raise unavailable()

    def _next_job(self, *, wait: bool) -> Job | None:  # noqa: PLR0911  one for each thing to do, in their order
        with self._lock:
            while True:
                if self._outage is not None:
                    return _nothing  # it began just now; the next turn mends
                if self._asked_to_seal:
                    return self._seal_as_asked
                if self._queue:
                    return self._commit
                if self._room_left() <= 0:
                    return self._seal_if_due
                if self._look_due:
                    self._look_due = False
                    return partial(self._do, self._writer.require_room)
                if self._is_closing or not wait:
                    return None
                if not self._something_to_do.wait(self._seconds_to_seal()):
                    return self._seal_if_due

    def _seal_as_asked(self) -> None:
        with self._lock:
            asked, self._asked_to_seal = self._asked_to_seal, []
        _tell(asked, self._do(partial(self._writer.seal, SealReason.ASKED)))

    def _seal_if_due(self) -> None:
        with self._lock:
            _, now = self._arrivals.next()
        self._do(partial(self._writer.seal_if_due, now))

    def _commit(self) -> None:
        with self._lock:
            self._look_due = False
            batch, taken = self._in_commit = self._queue.take(self._room_for)
        error = self._try(partial(self._writer.commit, batch))
        with self._lock:
            if self._in_commit is None:
                taken = []  # they are answered: it took too long
            self._in_commit = None
            self._queue.let_go(taken)
        self._begin_outage_after(error, refused=len(taken))
        _tell((each.done for each in taken), error is None)

    def _mend(self, outage: LogOutage, *, wait: bool) -> bool:
        """Try again, after a pause; False: there is no more time for that."""
        pause_s = outage.next_back_off_s()
        with self._lock:
            if self._is_closing or (wait and self._something_to_do.wait_for(lambda: self._is_closing, pause_s)):
                return False
        error = self._try(self._writer.mend)
        with self._lock:
            if error is not None:
                outage.failed(error)
            else:
                self._outage = None
                outage.over()
        return True

    def _do(self, work: Callable[[], None]) -> bool:
        """Do what the disk may refuse; then an outage begins. Returns whether it was done."""
        error = self._try(work)
        self._begin_outage_after(error)
        return error is None

    def _try(self, work: Callable[[], None]) -> Exception | None:
        self._busy_since_s = time.monotonic()
        try:
            work()
        except Exception as exc:  # noqa: BLE001  whatever it is, callers wait for an answer, and mending comes next
            return exc
        finally:
            self._busy_since_s = None
        return None

    def _begin_outage_after(self, error: Exception | None, *, refused: int = 0) -> None:
        """If there was an error, take no more until it is mended; before any caller hears of it."""
        if error is None:
            return
        with self._lock:
            waiting = self._begin_outage(error, refused=refused)
        _tell(waiting, False)

    def _begin_outage(self, error: Exception, *, refused: int) -> list[Callable[[bool], None]]:
        """Take no more; under the lock. Returns who waits in vain."""
        self._outage = self._outage or LogOutage(self._figures)
        self._outage.failed(error)
        waiting = self._take_who_waits()
        self._outage.refused(refused + len(waiting))
        self._something_to_do.notify()
        return waiting

    def _take_who_waits(self) -> list[Callable[[bool], None]]:
        asked, self._asked_to_seal = self._asked_to_seal, []
        return [*(each.done for each in self._queue.take_all()), *asked]

    def _room_left(self) -> int:
        segment = self._writer.open
        return self._limits.size_bytes - (segment.size_bytes if segment else 0)

    def _room_for(self, run: Run) -> int:
        """Bytes until a segment of that run is full: the open one, if it can go on, or a new one."""
        segment = self._writer.open
        left = self._room_left()
        return left if segment and segment.run == run and left > 0 else self._limits.size_bytes

    def _seconds_to_seal(self) -> float | None:
        segment = self._writer.open
        if segment is None:
            return None
        age_left_s = segment.opened_at_s + self._limits.age_s - time.monotonic()
        return max(0.0, min(age_left_s, self._arrivals.seconds_to_next_hour())) + _EARLY_S


def _nothing() -> None:
    pass


def unavailable() -> LogUnavailable:
    """What a refused caller is told: what a caller can do. The figures are the operator's: outage.py."""
    return LogUnavailable("the log can't take events now; send the batch again later")


def _tell(whom: Iterable[Callable[[bool], None]], what: bool) -> None:
    for done in whom:
        try:
            done(what)
        except Exception:  # noqa: BLE001  whatever it is, the others are told
            _messages.exception("an answer failed by a fault")
