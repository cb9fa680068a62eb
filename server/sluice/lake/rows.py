"""From the fields of decoded bodies, and the records they came in, to rows of the event table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake.event_time import event_time
from sluice.lake.exposures import exposures_of, kinds_of
from sluice.lake.fields import with_shared_users
from sluice.lake.schema import EVENTS, TIMESTAMP
from sluice.log.ids import request_id_text
from sluice.log.record import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.lake.fields import Decoded
    from sluice.storage.v1.log_record_pb2 import LogRecord

__all__ = ["MAX_REPEATED_BYTES", "rows_of"]

# What a request says of itself stands on each of its rows. A body of 10 MiB can hold 5 MiB of that and 100,000 events,
# which would make 500 GB of it: above this limit, in bytes for all rows of one request, only its first row has it.
MAX_REPEATED_BYTES = 16 * 1024 * 1024


def rows_of(records: Sequence[LogRecord], decoded: Decoded) -> pa.RecordBatch:
    """Join what was decoded from n records to what the records themselves say.

    Args:
        records: n records.
        decoded: of their bodies, in the same order.

    Returns:
        m rows of `EVENTS`, in the order of the records and their events.
    """
    events = with_shared_users(decoded)
    record = events.column("record")
    kinds, exposures = decoded.exposures or _exposures(events)
    requests = _requests(records, decoded.requests)
    said = requests.take(_repeated(events, requests))
    received_at_us = pa.array([r.received_at_us for r in records], pa.int64()).take(record)
    client_time_ms = pa.array(
        [r.client_time_ms if r.HasField("client_time_ms") else None for r in records], pa.int64()
    ).take(record)
    of_records = {
        "request_id": [request_id_text(r.request_id) for r in records],
        "source": [source_of(r).value for r in records],
        "project": [r.project for r in records],
        "key_id": [r.key_id for r in records],
    }
    columns = {name: pa.array(texts, pa.string()).take(record) for name, texts in of_records.items()} | {
        "received_at": received_at_us.cast(TIMESTAMP),
        "event_time": event_time(
            time_ms=events.column("time_ms"), client_time_ms=client_time_ms, received_at_us=received_at_us
        ),
        "client_time_ms": client_time_ms,
        "event_kind": kinds,
        "stable_id": pc.coalesce(events.column("user_stable_id"), said.column("stable_id")),
        "extra": _extra(said.column("extra_request"), events.column("extra_event"), events.column("extra_user")),
    }
    sources = (exposures, said, events)
    return pa.RecordBatch.from_arrays(
        [
            columns[name] if name in columns else next(s for s in sources if name in s.schema.names).column(name)
            for name in EVENTS.names
        ],
        schema=EVENTS,
    )


def _exposures(events: pa.RecordBatch) -> tuple[pa.Array, pa.RecordBatch]:
    kinds = kinds_of(events.column("event_name"))
    return kinds, exposures_of(kinds, events.column("metadata"))


def _requests(records: Sequence[LogRecord], requests: pa.RecordBatch) -> pa.RecordBatch:
    """What requests say of themselves: in the body first, else in headers or query."""
    for name in ("sdk_type", "sdk_version", "session_id"):
        outside = pa.array([getattr(record, name) or None for record in records], pa.string())
        column = pc.coalesce(requests.column(name), outside)
        requests = requests.set_column(requests.schema.get_field_index(name), name, column)
    return requests


def _repeated(events: pa.RecordBatch, requests: pa.RecordBatch) -> pa.Array:
    """For each row the request whose texts stand on it; null behind the first row of one that would take too much."""
    record = events.column("record")
    sizes = [0] * requests.num_rows
    for column in requests.columns:
        if column.type == pa.string():
            sizes = [a + b for a, b in zip(sizes, pc.fill_null(pc.binary_length(column), 0).to_pylist(), strict=True)]
    rows = requests.column("rows").to_pylist()
    too_large = [size * count > MAX_REPEATED_BYTES for size, count in zip(sizes, rows, strict=True)]
    if not any(too_large):
        return record
    is_first = pc.equal(events.column("event_index"), requests.column("first_index").take(record))
    stands = pc.or_(pc.invert(pa.array(too_large).take(record)), is_first)
    return pc.if_else(stands, record, None)


def _extra(request: pa.Array, event: pa.Array, user: pa.Array) -> pa.Array:
    """One object of what the three levels hold beyond the columns; null where none holds anything."""
    parts = [
        pc.coalesce(pc.binary_join_element_wise(f',"{level}":', column, ""), "")
        for level, column in (("request", request), ("event", event), ("user", user))
        if column.null_count < len(column)
    ]
    if not parts:
        return pa.nulls(len(event), pa.string())
    joined = pc.binary_join_element_wise(*parts, "")
    members = pc.utf8_slice_codeunits(pc.if_else(pc.equal(joined, ""), None, joined), start=1)
    return pc.binary_join_element_wise("{", members, "}", "")
