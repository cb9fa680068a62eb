"""Log records to rows of the event table, whichever encoding their bodies came in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from sluice.lake import decode_json, decode_proto
from sluice.lake.fields import MAX_EVENTS_AT_ONCE, UndecodableBody, is_large
from sluice.lake.native.ready import COMPILED
from sluice.lake.rows import MAX_REPEATED_BYTES, repeated_bytes, rows_of, with_outside
from sluice.storage.v1 import log_record_pb2 as storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from sluice.lake.fields import Decoded
    from sluice.log.record_in_place import StoredRequest

__all__ = ["Rows", "Undecodable", "decode", "in_stretches"]

_Place = TypeVar("_Place")
_RequestT = TypeVar("_RequestT", bound="StoredRequest")

_DECODERS = {
    storage.BODY_FORMAT_JSON: decode_json.decode,
    storage.BODY_FORMAT_WEBHOOK_EVENT: decode_json.decode,
    storage.BODY_FORMAT_CUSTOM_EXPOSURES: decode_json.decode,
    storage.BODY_FORMAT_LOG_EVENT_REQUEST: decode_proto.decode,
    storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST: decode_proto.decode,
}
_SOURCES = frozenset({storage.SOURCE_SDK, storage.SOURCE_WEBHOOK, storage.SOURCE_GRPC})
_REQUEST_ID_BYTES = 16

# Records are decoded together until they hold this much: it spreads the fixed 0.6 ms of building columns, and bounds
# what is in memory as Python objects. One record can be larger.
_STRETCH_BYTES = 4 * 1024 * 1024
# What requests say of themselves stands on each of their rows: bodies of 4 MiB could become 750 MiB, and several times
# as much on the way. Those of one batch take no more than this; usual ones take 2 MiB.
_BATCH_REPEATED_BYTES = 4 * MAX_REPEATED_BYTES


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
        batches: to be gone through once: rows of `EVENTS` in log order, as many in all as the records have events, less
            those of undecodable records and those set aside.
        undecodable: the records that gave no rows.
    """

    batches: Iterable[pa.RecordBatch]
    undecodable: tuple[Undecodable, ...] = ()


class _Group(NamedTuple):
    """Records that were decoded together.

    Attributes:
        indices: which they are.
        records: themselves.
        decoded: what came of them, `with_outside`.
    """

    indices: list[int]
    records: list[StoredRequest]
    decoded: Decoded


def decode(records: Sequence[StoredRequest]) -> Rows:
    """Turn log records into rows of the event table, one row per event.

    Args:
        records: n records in log order, checksums already verified. One with more than `MAX_EVENTS_AT_ONCE` events is
            given alone: that bounds the memory.

    Source: contract, components.schemas.Event.
    """
    if len(records) == 1:
        return _decode_one(records[0])
    try:
        return Rows(batches=_decode(records))
    except UndecodableBody:
        return _decode_those_that_can_be(records)


def in_stretches(found: Iterable[tuple[_Place, _RequestT]]) -> Iterator[list[tuple[_Place, _RequestT]]]:
    """Records, each with where it was found, in stretches that `decode` may be given: of bounded size, never empty."""
    stretch: list[tuple[_Place, _RequestT]] = []
    body_bytes = events = 0
    for place, record in found:
        size, count = len(record.body), record.event_count  # each look at a body copies it
        if stretch and (body_bytes + size > _STRETCH_BYTES or events + count > MAX_EVENTS_AT_ONCE):
            yield stretch
            stretch, body_bytes, events = [], 0, 0
        stretch.append((place, record))
        body_bytes += size
        events += count
    if stretch:
        yield stretch


def _decode_one(record: StoredRequest) -> Rows:
    try:
        if not is_large(record):
            return Rows(batches=_decode([record]))
        # Twice: a record is rows as a whole or not at all, and all its rows at once would take too much memory.
        for _ in _batches(record):
            pass
    except UndecodableBody as exc:
        return Rows(batches=(), undecodable=(Undecodable(index=0, detail=str(exc)),))
    return Rows(batches=_batches(record))


def _decode_those_that_can_be(records: Sequence[StoredRequest]) -> Rows:
    bad: list[Undecodable] = []
    good: list[StoredRequest] = []
    for index, record in enumerate(records):
        if undecodable := _decode_one(record).undecodable:
            bad.append(Undecodable(index=index, detail=undecodable[0].detail))
        else:
            good.append(record)
    return Rows(batches=_decode(good), undecodable=tuple(bad))


def _decode(records: Sequence[StoredRequest]) -> Iterable[pa.RecordBatch]:
    """The rows of small records, in log order whichever encodings they came in.

    Raises:
        UndecodableBody: at once; not while the batches are gone through.
    """
    for record in records:
        _check(record)
    groups = list(_in_groups(records))
    repeated = np.zeros(len(records), np.int64)
    for group in groups:
        repeated[group.indices] = repeated_bytes(group.decoded)
    parts = _parts(repeated)
    if len(parts) > 1:
        # Decoded again, as what is repeated is rarely so large.
        return chain.from_iterable(_decode(records[part]) for part in parts)
    return [_in_log_order(groups)] if groups else []


def _parts(repeated: NDArray[np.int64]) -> list[slice]:
    """The records in parts whose requests' texts may stand on the rows of one batch.

    Args:
        repeated: n: how many bytes those of each record take.
    """
    begins, taken = [0], 0
    if repeated.sum() > _BATCH_REPEATED_BYTES:
        for index, size in enumerate(repeated.tolist()):
            taken += size
            if taken > _BATCH_REPEATED_BYTES and index > begins[-1]:
                begins.append(index)
                taken = size
    return [slice(begin, end) for begin, end in pairwise([*begins, len(repeated)])]


def _in_log_order(groups: Sequence[_Group]) -> pa.RecordBatch:
    batches = [rows_of(group.records, group.decoded) for group in groups]
    if len(batches) == 1:
        return batches[0]
    log_order = [np.array(group.indices)[group.decoded.events.column("record").to_numpy()] for group in groups]
    # The sort is stable, so the events of a record stay in their order.
    order = np.argsort(np.concatenate(log_order), kind="stable")
    return pa.concat_batches(batches).take(pa.array(order))


def _in_groups(records: Sequence[StoredRequest]) -> Iterator[_Group]:
    groups: dict[storage.BodyFormat.ValueType, list[int]] = {}
    for index, record in enumerate(records):
        groups.setdefault(record.body_format, []).append(index)
    for body_format, compiled in COMPILED.decoders.items():
        # Where events were set aside, something else stands in their places.
        whole = [index for index in groups.get(body_format, ()) if not records[index].quarantined_indices]
        if not whole:
            continue
        events = sum(records[index].event_count for index in whole)
        read, decoded = compiled([records[index].body for index in whole], events)
        if decoded is not None:
            indices = [whole[place] for place in read]
            yield _group(records, indices, decoded)
            left = set(indices)
            groups[body_format] = [index for index in groups[body_format] if index not in left]
    for body_format, indices in groups.items():
        if indices:
            COMPILED.preparation.count(sum(records[index].event_count for index in indices))
            for decoded in _DECODERS[body_format]([records[index] for index in indices]):
                yield _group(records, indices, decoded)


def _group(records: Sequence[StoredRequest], indices: list[int], decoded: Decoded) -> _Group:
    some = [records[index] for index in indices]
    return _Group(indices, some, with_outside(some, decoded))


def _batches(record: StoredRequest) -> Iterator[pa.RecordBatch]:
    """The rows of one record, those of a large one in slices."""
    _check(record)
    for decoded in _DECODERS[record.body_format]([record]):
        yield rows_of([record], with_outside([record], decoded))


def _check(record: StoredRequest) -> None:
    if record.body_format not in _DECODERS:
        raise UndecodableBody(f"body_format is {record.body_format}")
    if record.source not in _SOURCES:
        raise UndecodableBody(f"source is {record.source}")
    if len(record.request_id) != _REQUEST_ID_BYTES:
        raise UndecodableBody(f"request_id has {len(record.request_id)} bytes")
