"""Finds the record of one request, by its id, wherever in the log it is. Reads, and changes nothing.

A file is searched for the id as a record begins with it; only what is found is then checked and read. So a gigabyte
takes about a second, and never more memory than its largest record.

    what is found             how it is told
    a whole record            with its place and what it says
    a record that is damaged  with its place and the reason, as far as the id itself is unharmed
    the id within a record    passed over: an event may quote it
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from sluice import disk
from sluice.framing import FIRST_BYTES, HEADER_BYTES, end_of_frame, scan
from sluice.log.frame_walk import walk
from sluice.log.ports import Damage, DamageReason, StoredRecord
from sluice.log.reader import record_or_damage
from sluice.log.record import decode
from sluice.log.segment import State, parse_id
from sluice.log.segment_files import damaged_files, read_where_it_is, segment_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from sluice.log.segment_files import SegmentFile
    from sluice.storage.v1 import log_record_pb2 as pb

__all__ = ["LocatedRecord", "locate", "locate_record"]

_RecordT = TypeVar("_RecordT", bound=StoredRecord)

_CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedRecord(Generic[_RecordT]):
    """Where in the log a request is.

    Attributes:
        file: the file: its state is that of the segment, or damaged.
        offset: where in its segment the record begins, in bytes.
        size_bytes: of its frame; 0 where its length is broken.
        record: what it says; None where it can't be read.
        reason: why it can't be read, or why it was set aside, as a `DamageReason`; None: all is well with it.
        detail: more about the reason.
    """

    file: SegmentFile
    offset: int
    size_bytes: int
    record: _RecordT | None
    reason: DamageReason | None = None
    detail: str = ""


def locate_record(
    folder: Path, request_id: bytes, *, hours: Collection[str] | None = None
) -> list[LocatedRecord[pb.LogRecord]]:
    """As `locate`, in the log of accepted requests."""
    return locate(folder, request_id, hours=hours, decode=decode)


def locate(
    folder: Path,
    request_id: bytes,
    *,
    hours: Collection[str] | None = None,
    decode: Callable[[bytes], _RecordT | DamageReason],
) -> list[LocatedRecord[_RecordT]]:
    """Find a request in all folders of a log.

    Args:
        folder: the log's.
        request_id: 16 bytes.
        hours: only in segments of these receive hours, `YYYYMMDDTHH` in UTC; None: in all.
        decode: reads the payload of a frame.

    Raises:
        OSError: a folder or a file can't be read.
    """
    files = [*segment_files(folder), *(file for file in damaged_files(folder) if not file.is_report)]
    if hours is not None:
        files = [file for file in files if (parsed := parse_id(file.id)) and parsed.hour in hours]
    return [found for file in files for found in _located_in(file, request_id, decode)]


def _located_in(
    segment: SegmentFile, request_id: bytes, decode: Callable[[bytes], _RecordT | DamageReason]
) -> list[LocatedRecord[_RecordT]]:
    file = read_where_it_is(segment, disk.open_read)
    if file is None:
        return []
    with file:
        if file.path != segment.path:
            segment = replace(segment, state=State.SEALED, path=file.path, locked=False)
        begins = (_begin_of_record(file, hit) for hit in _hits(file, FIRST_BYTES + request_id))
        found = (_read(segment, file, offset, decode) for offset in begins if offset is not None)
        return [record for record in found if record is not None]


def _hits(file: disk.File, wanted: bytes) -> Iterator[int]:
    """Where some bytes stand in a file."""
    offset = 0
    while chunk := file.read_at(offset, _CHUNK_BYTES):
        at = chunk.find(wanted)
        while at >= 0:
            yield offset + at
            at = chunk.find(wanted, at + 1)
        if len(chunk) < len(wanted):
            return
        # What begins in the last bytes may end in the next chunk.
        offset += len(chunk) - len(wanted) + 1


def _begin_of_record(file: disk.File, hit: int) -> int | None:
    """Where the frame begins whose payload begins there; None where the bytes stand within another record."""
    offset = hit - HEADER_BYTES
    if offset < 0:
        return None
    reached = walk(file, 0, goal=offset, size_bytes=file.size()).offset
    if reached == offset:
        return offset
    # Behind damage there is no way from frame to frame: then the frame must speak for itself.
    return offset if reached < offset and end_of_frame(file.read_at(offset, HEADER_BYTES), 0) is not None else None


def _read(
    segment: SegmentFile, file: disk.File, offset: int, decode: Callable[[bytes], _RecordT | DamageReason]
) -> LocatedRecord[_RecordT] | None:
    size = end_of_frame(file.read_at(offset, HEADER_BYTES), 0) or 0
    content = file.read_at(offset, min(size or HEADER_BYTES, max(0, file.size() - offset)))
    first = next(scan(content), None)
    if first is None:
        return None  # recovery has just cut it off
    part = record_or_damage(first, content, decode=decode)
    in_segment = offset + (segment.offset or 0)
    if segment.reason:
        record = None if isinstance(part, Damage) else part[1]
        return LocatedRecord(
            file=segment,
            offset=in_segment,
            size_bytes=size,
            record=record,
            reason=DamageReason(segment.reason),
            detail=_detail_of(segment),
        )
    if isinstance(part, Damage):
        return LocatedRecord(
            file=segment, offset=in_segment, size_bytes=size, record=None, reason=part.reason, detail=part.detail
        )
    return LocatedRecord(file=segment, offset=in_segment, size_bytes=size, record=part[1])


def _detail_of(segment: SegmentFile) -> str:
    """What the report beside something set aside says of it."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(disk.read_bytes(segment.path.with_name(f"{segment.path.name}.json")))["detail"])
    return ""
