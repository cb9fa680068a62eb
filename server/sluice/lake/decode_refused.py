"""Records of refused requests to rows of the table rejects, one row per record. Bodies are not looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from sluice.lake.decode import Rows, Undecodable
from sluice.lake.schema import REJECTS
from sluice.log.ids import request_id_text
from sluice.log.record import body_format_of, source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sluice.storage.v1.refused_record_pb2 import RefusedRecord

__all__ = ["body_text", "decode", "in_stretches", "row_of"]

_Place = TypeVar("_Place")

# Bodies of records that become rows together; one can be larger.
_STRETCH_BYTES = 4 * 1024 * 1024
_STRETCH_RECORDS = 10_000


def decode(records: Sequence[RefusedRecord]) -> Rows:
    """Turn records of refused requests into rows of the table rejects.

    Args:
        records: in log order, checksums already verified.
    """
    rows: list[dict[str, Any]] = []
    bad: list[Undecodable] = []
    for index, record in enumerate(records):
        try:
            rows.append(row_of(record))
        except UnicodeDecodeError:
            bad.append(Undecodable(index=index, detail="the body is not UTF-8"))
    return Rows(batches=[pa.RecordBatch.from_pylist(rows, schema=REJECTS)] if rows else [], undecodable=tuple(bad))


def in_stretches(found: Iterable[tuple[_Place, RefusedRecord]]) -> Iterator[list[tuple[_Place, RefusedRecord]]]:
    """Records, each with where it was found, in stretches of bounded size, never empty."""
    stretch: list[tuple[_Place, RefusedRecord]] = []
    size = 0
    for place, record in found:
        record_size = len(record.body) + len(record.errors)
        if stretch and (size + record_size > _STRETCH_BYTES or len(stretch) == _STRETCH_RECORDS):
            yield stretch
            stretch, size = [], 0
        stretch.append((place, record))
        size += record_size
    if stretch:
        yield stretch


def row_of(record: RefusedRecord) -> dict[str, Any]:
    """The row of one record, by the names of its columns; times in microseconds since the epoch.

    Raises:
        UnicodeDecodeError: its body is no text.
    """
    counted = record.event_count > 0
    return {
        "request_id": request_id_text(record.request_id),
        "received_at": record.received_at_us,
        "source": source_of(record).value,
        "project": record.project,
        "key_id": record.key_id,
        "reason": record.reason,
        "errors": record.errors,
        "body": body_text(record),
        "body_bytes": record.body_bytes,
        "body_sha256": record.body_sha256.hex(),
        "fault_offset": record.fault_offset if record.HasField("fault_offset") else None,
        "body_format": body_format_of(record).value,
        "event_count": record.event_count if counted else None,
        "invalid_event_count": record.invalid_event_count if counted else None,
        "client_time_ms": record.client_time_ms if record.HasField("client_time_ms") else None,
        "sdk_type": record.sdk_type or None,
        "sdk_version": record.sdk_version or None,
        "session_id": record.session_id or None,
    }


def body_text(record: RefusedRecord) -> str | None:
    """A record's body as text: JSON as it is, other formats in base64; None where it was not kept.

    Raises:
        UnicodeDecodeError: it is no text.
    """
    if not record.HasField("body"):
        return None
    return body_format_of(record).as_text(record.body)
