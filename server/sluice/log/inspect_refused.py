"""Looks at the records of refused requests without changing anything: what `sluice log dump --refused` prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log.ids import request_id_text
from sluice.log.ports import Damage
from sluice.log.reader import parts_in
from sluice.log.record import body_format_of, source_of
from sluice.log.refused import decode_refused
from sluice.log.segment_files import read_where_it_is, segment_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.storage.v1 import refused_record_pb2 as pb

__all__ = ["DumpedReject", "dump_rejects"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpedReject:
    """A record of a refused request as it may be shown; all values fit into JSON.

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
        node: who refused it.
        reason: why.
        errors: a JSON array of what is wrong.
        event_count: events of the request; 0 where they can't be counted.
        invalid_event_count: those of them that are invalid.
        sdk_type: as headers or query say it.
        sdk_version: as headers or query say it.
        session_id: as headers or query say it.
        body_format: what the body is.
        body_bytes: its length, whether it is kept or not.
        body_sha256: the SHA-256 of those bytes, in hexadecimal.
        fault_offset: where it no longer parses, if that is known.
        body: JSON as text, other formats in base64; None unless it was asked for, and where it is not kept.
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
    reason: str
    errors: str
    event_count: int
    invalid_event_count: int
    sdk_type: str
    sdk_version: str
    session_id: str
    body_format: str
    body_bytes: int
    body_sha256: str
    fault_offset: int | None
    body: str | None


def dump_rejects(folder: Path, *, segment_id: str | None = None, body: bool = False) -> Iterator[DumpedReject]:
    """Yield all whole records, in the order of the log; damaged ones are passed over.

    Args:
        folder: the log's, `log/refused/` of the data folder.
        segment_id: only those of this segment.
        body: with the body. It holds what clients sent.
    """
    for segment in segment_files(folder):
        if segment_id is not None and segment.id != segment_id:
            continue
        content = read_where_it_is(segment, disk.read_bytes) or b""
        for part in parts_in(content, sealed=segment.sealed, decode=decode_refused):
            if not isinstance(part, Damage):
                yield _dumped(segment.id, *part, body=body)


def _dumped(segment_id: str, offset: int, record: pb.RefusedRecord, *, body: bool) -> DumpedReject:
    return DumpedReject(
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
        reason=record.reason,
        errors=record.errors,
        event_count=record.event_count,
        invalid_event_count=record.invalid_event_count,
        sdk_type=record.sdk_type,
        sdk_version=record.sdk_version,
        session_id=record.session_id,
        body_format=body_format_of(record).value,
        body_bytes=record.body_bytes,
        body_sha256=record.body_sha256.hex(),
        fault_offset=record.fault_offset if record.HasField("fault_offset") else None,
        body=body_format_of(record).as_text(record.body, errors="replace")
        if body and record.HasField("body")
        else None,
    )
