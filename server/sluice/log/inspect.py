"""Looks at a log's folder without changing it: what `sluice log list`, `verify` and `dump` print.

With a running service or without one: files are opened read only and no lock is taken, so no writer is disturbed. An
open segment whose writer lives is only looked at up to its last whole record: behind it, a write may be going on.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sluice import disk
from sluice.framing import Frame, end_of_frame, scan
from sluice.log.ids import request_id_text
from sluice.log.ports import Damage, StoredRecord
from sluice.log.reader import parts_in, records_in
from sluice.log.record import body_format_of, decode, source_of
from sluice.log.segment import State, parse_id
from sluice.log.segment_files import damaged_files, read_where_it_is, segment_files
from sluice.log.torn_tail import ending_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sluice.log.ports import DamageReason
    from sluice.log.segment_files import SegmentFile
    from sluice.storage.v1 import log_record_pb2 as pb

__all__ = [
    "OUT_OF_ORDER",
    "TORN_TAIL",
    "UNREADABLE",
    "WRONG_HOUR",
    "DumpedRecord",
    "Fault",
    "ListedSegment",
    "dump_records",
    "list_segments",
    "verify_segments",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US_PER_HOUR = 3_600_000_000

# What a dead writer's last write left; no damage, since nothing of it was acknowledged.
TORN_TAIL = "torn_tail"
# Whole records that go to the lake, where no writer puts any.
OUT_OF_ORDER = "out_of_order"
WRONG_HOUR = "wrong_hour"
# The disk doesn't give the segment back; the lake takes it last, again and again.
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSegment:
    """A segment, or a stretch of one that was set aside.

    Attributes:
        state: open, sealed, damaged or archive.
        name: of the file.
        id: the segment's.
        hour: the receive hour of its records, `YYYYMMDDTHH` in UTC.
        node: who wrote it.
        records: whole records; None for a damaged stretch, and for an open one that can't be read.
        bytes: the file's size now; 0 where bytes are missing, of which only a report tells.
        age_s: seconds since its file was last written.
        locked: whether a living writer holds it.
        reason: why it is in damaged/, else "".
    """

    state: State
    name: str
    id: str
    hour: str
    node: str
    records: int | None
    bytes: int
    age_s: float
    locked: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something about a segment that is not as it should be.

    Attributes:
        state: of the segment.
        segment: its id.
        offset: where it begins, in bytes.
        bytes: how long it is; 0 where bytes are missing.
        reason: a `DamageReason`, in its own words; `torn_tail`, which recovery cuts off; `out_of_order` and
            `wrong_hour`, of whole records that go to the lake all the same; or `unreadable`.
        detail: more, without any event's content.
    """

    state: State
    segment: str
    offset: int
    bytes: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpedRecord:
    """A record as it may be shown; all values fit into JSON.

    Attributes:
        segment: the id of its segment.
        offset: where it begins, in bytes.
        request_id: as in the lake's rows.
        format_version: of the record.
        received_at: ISO-8601 in UTC, to the microsecond.
        client_time_ms: the client's clock, if it was told.
        key_id: the API key's id.
        project: the API key's project.
        source: sdk, webhook or grpc.
        node: who accepted it.
        event_count: events in the body.
        quarantined_indices: those of them that are no rows.
        sdk_type: as headers or query say it.
        sdk_version: as headers or query say it.
        session_id: as headers or query say it.
        body_format: what the body is.
        body_bytes: its length.
        body: JSON as text, other formats in base64; None unless it was asked for.
    """

    segment: str
    offset: int
    request_id: str
    format_version: int
    received_at: str
    client_time_ms: int | None
    key_id: str
    project: str
    source: str
    node: str
    event_count: int
    quarantined_indices: tuple[int, ...]
    sdk_type: str
    sdk_version: str
    session_id: str
    body_format: str
    body_bytes: int
    body: str | None


def list_segments(folder: Path, *, now: float) -> list[ListedSegment]:
    """All segments of a log, the oldest of each state first, and what was set aside.

    Args:
        folder: the log's, `log/` of the data folder.
        now: seconds since the epoch.
    """
    found = [*segment_files(folder), *damaged_files(folder)]
    return [listed for segment in found if (listed := _listed(segment, now=now))]


def verify_segments(
    folder: Path, *, decode: Callable[[bytes], StoredRecord | DamageReason] = decode
) -> Iterator[Fault]:
    """Read all segments from end to end; yield each fault. What was set aside already is none.

    Args:
        folder: the log's.
        decode: reads the payload of a frame.
    """
    set_aside = {(file.id, file.offset, file.reason) for file in damaged_files(folder)}
    for segment in segment_files(folder):
        try:
            content = _content(segment)
        except OSError as exc:
            yield _fault(segment, 0, 0, UNREADABLE, exc.strerror or str(exc))
            continue
        if content is None:
            continue
        end = len(content) if segment.sealed else _end_of_open(segment, content)
        order = _Order(segment)
        for part in parts_in(content[:end], sealed=segment.sealed, decode=decode):
            if isinstance(part, Damage):
                # An archived segment keeps the bytes that were set aside of it.
                place = (segment.id, part.offset, part.reason.value)
                if segment.state is not State.ARCHIVED or place not in set_aside:
                    yield _fault(segment, part.offset, len(part.data), part.reason.value, part.detail)
            else:
                yield from order.faults_of(*part, content)
        if end < len(content) and not segment.locked:
            yield _fault(segment, end, len(content) - end, TORN_TAIL, "a write that didn't end; recovery cuts it off")


def dump_records(folder: Path, *, segment_id: str | None = None, body: bool = False) -> Iterator[DumpedRecord]:
    """Yield all whole records, in the order of the log; damaged ones are passed over.

    Args:
        folder: the log's, `log/` of the data folder.
        segment_id: only those of this segment.
        body: with the body. It holds what clients sent.
    """
    for segment in segment_files(folder):
        if segment_id is not None and segment.id != segment_id:
            continue
        for part in records_in(_content(segment) or b"", sealed=segment.sealed):
            if not isinstance(part, Damage):
                yield _dumped(segment.id, *part, body=body)


def _content(segment: SegmentFile) -> bytes | None:
    """Of a segment; None where the lake is done with it since the folder was listed."""
    return read_where_it_is(segment, disk.read_bytes)


def _end_of_open(segment: SegmentFile, content: bytes) -> int:
    ending = ending_of(content)
    return ending.last_whole if segment.locked else ending.end


class _Order:
    """What is wrong with where whole records of a segment stand: its writer never puts them there."""

    def __init__(self, segment: SegmentFile) -> None:
        hour = datetime.strptime(segment.id.partition("-")[0], "%Y%m%dT%H").replace(tzinfo=UTC)
        self._segment = segment
        self._begins_us = (hour - _EPOCH) // timedelta(microseconds=1)
        self._last_us = 0

    def faults_of(self, offset: int, record: StoredRecord, content: bytes) -> Iterator[Fault]:
        """Of the record that comes next."""
        wrong: list[tuple[str, str]] = []
        if record.received_at_us < self._last_us:
            wrong.append((OUT_OF_ORDER, "received before the record that stands before it"))
        if not 0 <= record.received_at_us - self._begins_us < _US_PER_HOUR:
            wrong.append((WRONG_HOUR, "received in another hour than the segment's id says"))
        self._last_us = record.received_at_us
        for reason, detail in wrong:
            size = (end_of_frame(content, offset) or offset) - offset
            yield _fault(self._segment, offset, size, reason, detail)


def _listed(segment: SegmentFile, *, now: float) -> ListedSegment | None:
    identity = disk.identity(segment.path)
    parsed = parse_id(segment.id)
    if identity is None or parsed is None:
        return None
    records = segment.sealed.records if segment.sealed else None
    if segment.state is State.OPEN:
        with suppress(OSError):
            records = sum(isinstance(part, Frame) for part in scan(_content(segment) or b""))
    return ListedSegment(
        state=segment.state,
        name=segment.path.name,
        id=segment.id,
        hour=parsed.hour,
        node=parsed.node,
        records=records,
        bytes=0 if segment.is_report else identity.size_bytes,
        age_s=max(0.0, now - identity.written_ns / 1e9),
        locked=segment.locked,
        reason=segment.reason,
    )


def _fault(segment: SegmentFile, offset: int, length: int, reason: str, detail: str) -> Fault:
    return Fault(state=segment.state, segment=segment.id, offset=offset, bytes=length, reason=reason, detail=detail)


def _dumped(segment_id: str, offset: int, record: pb.LogRecord, *, body: bool) -> DumpedRecord:
    return DumpedRecord(
        segment=segment_id,
        offset=offset,
        request_id=request_id_text(record.request_id),
        format_version=record.format_version,
        received_at=(_EPOCH + timedelta(microseconds=record.received_at_us)).isoformat(timespec="microseconds"),
        client_time_ms=record.client_time_ms if record.HasField("client_time_ms") else None,
        key_id=record.key_id,
        project=record.project,
        source=source_of(record).value,
        node=record.node,
        event_count=record.event_count,
        quarantined_indices=tuple(record.quarantined_indices),
        sdk_type=record.sdk_type,
        sdk_version=record.sdk_version,
        session_id=record.session_id,
        body_format=body_format_of(record).value,
        body_bytes=len(record.body),
        body=body_format_of(record).as_text(record.body) if body else None,
    )
