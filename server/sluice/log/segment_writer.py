"""Writes records into segments, one batch after the other, and knows what to do when the disk refuses.

    what fails                   what is done before the callers are answered    what is done after
    seal of the segment before   nothing of the batch is written                 seal again, probe
    too little space, log full   nothing of the batch is written                 seal, look again, probe
    create, lock, fsync open/    nothing of the batch is written                 remove the empty file, probe
    write, fdatasync             cut to the last good offset, fsync              seal, probe
    that cut or its fsync        name and offset are kept                        cut again, seal, probe
    write, fdatasync: it hangs   they are answered; the batch is given up        once it ends: cut, fsync, seal, probe
    what comes before it hangs   they are answered; the batch is given up        once it ends: as above; no write begins

"After" is `mend`, called again with back-off until it succeeds; until then no record is taken. A segment that a write
failed in is never written again. A new one begins only when a probe write was durable.

So an acknowledged record is durable, and a refused one is not in the log, with one exception: where cutting failed, or
a write hangs, and the process dies before a later try succeeds, a refused record may turn up whole. Its callers are
not kept waiting for that: they could only give up and send it again all the same.

Blocks while the disk works; group_commit.py calls it, one call at a time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log.budget import Budget
from sluice.log.failing import WriterFailed, failing
from sluice.log.metrics import ACCEPTED, Failure
from sluice.log.open_segment import OpenSegment
from sluice.log.sealing import SealReason, due
from sluice.log.segment import probe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.log.metrics import Figures
    from sluice.log.sealing import Run, SealLimits
    from sluice.log.segment import Folders

__all__ = ["Batch", "SegmentWriter"]

# A probe is as large as the batch that failed, so that a full disk doesn't seem mended to the next batch; up to this.
_LARGEST_PROBE_BYTES = 16 * 1024 * 1024
_SMALLEST_PROBE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records that become durable together.

    Attributes:
        buffers: their frames, one behind the other.
        records: how many.
        size_bytes: of all buffers.
        run: of all records.
    """

    buffers: Sequence[bytes]
    records: int
    size_bytes: int
    run: Run
    # Taken once and never given back, by whoever decides first: its callers may be answered in another thread.
    _decided: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def decide(self) -> bool:
        """Settle what becomes of it: True for the first who asks, who then keeps it or gives it up; else False."""
        return self._decided.acquire(blocking=False)

    @property
    def is_decided(self) -> bool:
        """Whether that is settled."""
        return self._decided.locked()


class SegmentWriter:
    """One writer of a node's segments.

    Args:
        folders: the log's.
        node: as it stands in ids.
        index: which of the node's writers it is.
        limits: when a segment is sealed.
        min_free_bytes: what must stay free on the disk.
        max_log_bytes: what may wait for the lake, whoever wrote it; None: what the disk has.
        figures: where it counts.
    """

    def __init__(
        self,
        folders: Folders,
        *,
        node: str,
        index: int,
        limits: SealLimits,
        min_free_bytes: int,
        max_log_bytes: int | None,
        figures: Figures = ACCEPTED,
    ) -> None:
        self._figures = figures
        self._folders = folders
        self._node = node
        self._index = index
        self._limits = limits
        self._budget = Budget(folders, min_free_bytes=min_free_bytes, max_log_bytes=max_log_bytes)
        self._leaving: OpenSegment | None = None
        self._probe_bytes = _SMALLEST_PROBE_BYTES
        self.open: OpenSegment | None = None

    def commit(self, batch: Batch) -> None:
        """Make a batch durable, in the open segment or a new one. One that was given up meanwhile is not in the log.

        Raises:
            WriterFailed: nothing of it is in the log (but see this module's head).
        """
        self.seal_if_due(batch.run)
        self._budget.require(batch.size_bytes)
        segment = self.open or self._begin(batch.run)
        if batch.is_decided:
            return  # any of that hung: what nobody waits for is not written only to be cut off again
        began_s = time.perf_counter()
        try:
            with failing(Failure.WRITE, segment.path):
                segment.write(batch.buffers)
            with failing(Failure.SYNC, segment.path):
                segment.sync()
        except Exception:
            self._take_back(batch, segment)
            raise
        if not batch.decide():
            self._take_back(batch, segment)
            return
        segment.keep(records=batch.records)
        self._budget.count(batch.size_bytes)
        self._figures.commit_seconds.observe(time.perf_counter() - began_s)
        self._figures.appended_records.inc(batch.records)
        self._figures.appended_bytes.inc(batch.size_bytes)

    def seal_if_due(self, now: Run) -> None:
        """Seal the open segment if its size, its age or the hour says so.

        Args:
            now: the run that a record has, or would have, now.

        Raises:
            WriterFailed: as `seal`.
        """
        if self.open is None:
            return
        age_s = time.monotonic() - self.open.opened_at_s
        reason = due(self._limits, age_s=age_s, size_bytes=self.open.size_bytes, run=self.open.run, now=now)
        if reason is not None:
            self.seal(reason)

    def seal(self, reason: SealReason) -> None:
        """Seal the open segment, if there is one.

        Raises:
            WriterFailed: its records are durable all the same; `mend` goes on with it.
        """
        if self.open is not None:
            self._leaving, self.open = self.open, None
            self._finish_leaving(reason)

    def mend(self) -> None:
        """At the start, and after a failure: finish what is left of a segment, and prove that a write becomes durable.

        Raises:
            WriterFailed: not yet.
        """
        # First, as a segment can't be sealed where somebody has removed the folder for it.
        with failing(Failure.PROBE, self._folders.open):
            self._folders.make()
        self.seal(SealReason.FAILURE)
        self._finish_leaving(SealReason.FAILURE)
        self._budget.require(self._probe_bytes)
        with failing(Failure.PROBE, self._folders.open):
            self._probe()

    def require_room(self) -> None:
        """See, when there is nothing to write, that there is room for what `mend` would try.

        Raises:
            WriterFailed: there is none.
        """
        self._budget.require(_SMALLEST_PROBE_BYTES)

    def close(self) -> None:
        """Seal what is open; nothing is committed after it.

        Raises:
            WriterFailed: a segment stays below open/; recovery seals it.
        """
        self._finish_leaving(SealReason.FAILURE)
        self.seal(SealReason.CLOSING)

    def _take_back(self, batch: Batch, segment: OpenSegment) -> None:
        self._probe_bytes = min(max(batch.size_bytes, _SMALLEST_PROBE_BYTES), _LARGEST_PROBE_BYTES)
        self._leaving, self.open = segment, None
        with failing(Failure.CUT, segment.path):
            segment.cut()

    def _begin(self, run: Run) -> OpenSegment:
        with failing(Failure.CREATE, self._folders.open):
            self._folders.check()
            segment = OpenSegment.create(self._folders, node=self._node, run=run, now_s=time.monotonic())
        self.open = segment
        try:
            with failing(Failure.CREATE, self._folders.open):
                segment.make_name_durable()
        except WriterFailed:
            self._leaving, self.open = segment, None
            raise
        return segment

    def _finish_leaving(self, reason: SealReason) -> None:
        if self._leaving is None:
            return
        with failing(Failure.CUT, self._leaving.path):
            self._leaving.cut()
        with failing(Failure.SEAL, self._leaving.path):
            sealed = self._leaving.leave()
        self._leaving = None
        if sealed is not None:
            self._figures.sealed_segments.labels(reason.value).inc()

    def _probe(self) -> None:
        path = self._folders.open / probe_name(self._node, self._index)
        disk.unlink(path)
        with disk.create(path) as file:
            file.write(bytes(self._probe_bytes))
            file.sync()
        disk.sync_folder(self._folders.open)
        disk.unlink(path)
