"""Log records to rows of the event table, whichever encoding their bodies came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake import decode_json, decode_proto
from sluice.lake.fields import UndecodableBody
from sluice.lake.rows import rows_of
from sluice.lake.schema import EVENTS
from sluice.storage.v1 import log_record_pb2 as storage

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Rows", "Undecodable", "decode"]

_DECODERS = {
    storage.BODY_FORMAT_JSON: decode_json.decode,
    storage.BODY_FORMAT_LOG_EVENT_REQUEST: decode_proto.decode,
    storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST: decode_proto.decode,
}
_REQUEST_ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """A record that holds no rows.

    Attributes:
        index: which of the records.
        detail: why, without any event's content.
    """

    index: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What n records became.

    Attributes:
        batch: m rows of `EVENTS`, in log order; m is the sum of the events of all records but those undecodable, less
            those set aside.
        undecodable: the records that gave no rows.
    """

    batch: pa.RecordBatch
    undecodable: tuple[Undecodable, ...] = ()


def decode(records: Sequence[storage.LogRecord]) -> Rows:
    """Turn log records into rows of the event table, one row per event.

    Args:
        records: n records in log order, checksums already verified.

    Source: contract, components.schemas.Event.
    """
    try:
        return Rows(batch=_decode(records))
    except UndecodableBody:
        return _decode_those_that_can_be(records)


def _decode_those_that_can_be(records: Sequence[storage.LogRecord]) -> Rows:
    bad: dict[int, str] = {}
    for index, record in enumerate(records):
        try:
            _decode([record])
        except UndecodableBody as exc:
            bad[index] = str(exc)
    return Rows(
        batch=_decode([record for index, record in enumerate(records) if index not in bad]),
        undecodable=tuple(Undecodable(index=index, detail=detail) for index, detail in bad.items()),
    )


def _decode(records: Sequence[storage.LogRecord]) -> pa.RecordBatch:
    places: dict[storage.BodyFormat.ValueType, list[int]] = {}
    for index, record in enumerate(records):
        _check(record)
        places.setdefault(record.body_format, []).append(index)
    batches: list[pa.RecordBatch] = []
    log_order: list[pa.Array] = []
    for body_format, indices in places.items():
        chosen = [records[index] for index in indices]
        decoded = _DECODERS[body_format](chosen)
        batches.append(rows_of(chosen, decoded))
        log_order.append(pa.array(indices, pa.int64()).take(decoded.events.column("record")))
    if len(batches) == 1:
        return batches[0]
    rows = pa.Table.from_batches(batches, schema=EVENTS)
    order = pc.sort_indices(
        pa.table({"record": pa.chunked_array(log_order, pa.int64()), "row": range(len(rows))}),
        sort_keys=[("record", "ascending"), ("row", "ascending")],
    )
    return rows.take(order).combine_chunks().to_batches()[0] if len(rows) else EVENTS.empty_table().to_batches()[0]


def _check(record: storage.LogRecord) -> None:
    if record.body_format not in _DECODERS:
        raise UndecodableBody(f"body_format is {record.body_format}")
    if record.source not in (storage.SOURCE_SDK, storage.SOURCE_WEBHOOK, storage.SOURCE_GRPC):
        raise UndecodableBody(f"source is {record.source}")
    if len(record.request_id) != _REQUEST_ID_BYTES:
        raise UndecodableBody(f"request_id has {len(record.request_id)} bytes")
