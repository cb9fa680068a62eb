"""Writes records into segments, one batch after the other, and knows what to do when the disk refuses.

    what fails                   what is done before the callers are answered    what is done after
    seal of the segment before   nothing of the batch is written                 seal again, probe
    too little space, log full   nothing of the batch is written                 seal, look again, probe
    create, lock, fsync open/    nothing of the batch is written                 remove the empty file, probe
    write, fdatasync             cut to the last good offset, fsync              seal, probe
    that cut or its fsync        name and offset are kept                        cut again, seal, probe

"After" is `mend`, called again with back-off until it succeeds; until then no record is taken. A segment that a write
failed in is never written again. A new one begins only when a probe write was durable.

So an acknowledged record is durable, and a refused one is not in the log, with one exception: where cutting failed,
and the process dies before a later try succeeds, a refused record may turn up whole. Its callers are not kept waiting
for that: they could only give up and send it again all the same.

Blocks while the disk works; appender.py calls it in a thread of its own, one call at a time.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import disk
from sluice.errors import SluiceError
from sluice.log import metrics
from sluice.log.metrics import Failure
from sluice.log.open_segment import OpenSegment
from sluice.log.sealing import SealReason, due
from sluice.log.segment import parse_sealed, probe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sluice.log.sealing import Run, SealLimits
    from sluice.log.segment import Folders

__all__ = ["Batch", "SegmentWriter", "WriterFailed"]

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


class WriterFailed(SluiceError):
    """The disk refused, or there is too little of it; `mend` must succeed before the next commit.

    Attributes:
        cause: what failed.
        path: what it failed on.
    """

    def __init__(self, message: str, *, cause: Failure, path: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.path = path


class SegmentWriter:
    """The one writer of a node's segments.

    Args:
        folders: the log's.
        node: as it stands in ids.
        limits: when a segment is sealed.
        min_free_bytes: what must stay free on the disk.
        max_log_bytes: what sealed segments may take together, whoever wrote them; None: what the disk has.
    """

    def __init__(
        self, folders: Folders, *, node: str, limits: SealLimits, min_free_bytes: int, max_log_bytes: int | None
    ) -> None:
        self._folders = folders
        self._node = node
        self._limits = limits
        self._min_free_bytes = min_free_bytes
        self._max_log_bytes = max_log_bytes
        self._leaving: OpenSegment | None = None
        self._probe_bytes = _SMALLEST_PROBE_BYTES
        self.open: OpenSegment | None = None

    def commit(self, batch: Batch) -> None:
        """Make a batch durable, in the open segment or a new one.

        Raises:
            WriterFailed: nothing of it is in the log (but see this module's head).
        """
        self.seal_if_due(batch.run)
        self._require_space(batch.size_bytes)
        segment = self.open or self._begin(batch.run)
        began_s = time.perf_counter()
        try:
            with _failing(Failure.WRITE, segment.path):
                segment.write(batch.buffers)
            with _failing(Failure.SYNC, segment.path):
                segment.make_durable(records=batch.records)
        except Exception:
            self._probe_bytes = min(max(batch.size_bytes, _SMALLEST_PROBE_BYTES), _LARGEST_PROBE_BYTES)
            self._leaving, self.open = segment, None
            with _failing(Failure.CUT, segment.path):
                segment.cut()
            raise
        metrics.commit_seconds.observe(time.perf_counter() - began_s)
        metrics.appended_records.inc(batch.records)
        metrics.appended_bytes.inc(batch.size_bytes)

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
        self.seal(SealReason.FAILURE)
        self._finish_leaving(SealReason.FAILURE)
        with _failing(Failure.PROBE, self._folders.open):
            self._folders.make()
            self._require_space(self._probe_bytes)
            self._require_room()
            self._probe()

    def close(self) -> None:
        """Seal what is open; nothing is committed after it.

        Raises:
            WriterFailed: a segment stays below open/; recovery seals it.
        """
        self._finish_leaving(SealReason.FAILURE)
        self.seal(SealReason.CLOSING)

    def _begin(self, run: Run) -> OpenSegment:
        self._require_room()
        with _failing(Failure.CREATE, self._folders.open):
            segment = OpenSegment.create(self._folders, node=self._node, run=run, now_s=time.monotonic())
        self.open = segment
        try:
            with _failing(Failure.CREATE, self._folders.open):
                segment.make_name_durable()
        except WriterFailed:
            self._leaving, self.open = segment, None
            raise
        return segment

    def _finish_leaving(self, reason: SealReason) -> None:
        if self._leaving is None:
            return
        with _failing(Failure.CUT, self._leaving.path):
            self._leaving.cut()
        with _failing(Failure.SEAL, self._leaving.path):
            sealed = self._leaving.leave()
        self._leaving = None
        if sealed is not None:
            metrics.sealed_segments.labels(reason.value).inc()

    def _require_space(self, size_bytes: int) -> None:
        with _failing(Failure.PROBE, self._folders.open):
            free_bytes = disk.free_bytes(self._folders.open)
        if free_bytes - size_bytes < self._min_free_bytes:
            raise WriterFailed(
                f"disk nearly full: free={free_bytes} bytes, asked={size_bytes} bytes, "
                f"kept free={self._min_free_bytes} bytes",
                cause=Failure.DISK_FLOOR,
                path=str(self._folders.open),
                hint="free space on the disk of the data folder",
            )

    def _require_room(self) -> None:
        if self._max_log_bytes is None:
            return
        with _failing(Failure.PROBE, self._folders.sealed):
            sealed = [parse_sealed(name) for name in disk.file_names(self._folders.sealed)]
        used_bytes = sum(segment.size_bytes for segment in sealed if segment)
        if used_bytes >= self._max_log_bytes:
            raise WriterFailed(
                f"log full: used={used_bytes} bytes, limit={self._max_log_bytes} bytes",
                cause=Failure.LOG_FULL,
                path=str(self._folders.sealed),
                hint="see why the lake is behind: sluice status",
            )

    def _probe(self) -> None:
        path = self._folders.open / probe_name(self._node)
        disk.unlink(path)
        with disk.create(path) as file:
            file.write(bytes(self._probe_bytes))
            file.sync()
        disk.sync_folder(self._folders.open)
        disk.unlink(path)


@contextmanager
def _failing(cause: Failure, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise WriterFailed(f"{cause.value} failed: {exc.strerror or exc}", cause=cause, path=str(path)) from exc
