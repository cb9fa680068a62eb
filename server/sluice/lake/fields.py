"""What both decoders make of bodies: the same facts in the same columns, whichever encoding they came in.

One table has a row per event, one a row per request. rows.py joins them to rows of the lake.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake.schema import TEXT_MAP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sluice.log.record_in_place import StoredRequest

__all__ = [
    "EVENT_FIELDS",
    "MAX_EVENTS_AT_ONCE",
    "REQUEST_FIELDS",
    "USER_FIELDS",
    "Decoded",
    "SharedUsers",
    "UndecodableBody",
    "int32_column",
    "is_large",
    "kept_indices",
    "map_column",
    "slices",
    "stable_ids",
    "text_column",
    "with_shared_users",
]

EVENT_FIELDS: pa.Schema = pa.schema(
    [
        pa.field("record", pa.int32()),  # which of the records it came in
        pa.field("event_index", pa.int32()),
        pa.field("event_id", pa.string()),
        pa.field("event_name", pa.string()),
        pa.field("time_ms", pa.int64()),
        pa.field("value_number", pa.float64()),
        pa.field("value_string", pa.string()),
        pa.field("metadata", pa.string()),
        pa.field("secondary_exposures", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("user_email", pa.string()),
        pa.field("user_custom", pa.string()),
        pa.field("user_custom_ids", TEXT_MAP),
        pa.field("user_stable_id", pa.string()),
        pa.field("user_ip", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("user_country", pa.string()),
        pa.field("user_locale", pa.string()),
        pa.field("user_app_version", pa.string()),
        pa.field("environment", pa.string()),
        pa.field("extra_event", pa.string()),  # a JSON object
        pa.field("extra_user", pa.string()),  # a JSON object
    ]
)

# What an event says of its user, by the same names as above.
USER_FIELDS: pa.Schema = pa.schema(
    [
        EVENT_FIELDS.field(name)
        for name in (
            "user_id",
            "user_email",
            "user_custom",
            "user_custom_ids",
            "user_stable_id",
            "user_ip",
            "user_agent",
            "user_country",
            "user_locale",
            "user_app_version",
            "environment",
            "extra_user",
        )
    ]
)

REQUEST_FIELDS: pa.Schema = pa.schema(
    [
        pa.field("rows", pa.int64()),  # how many events of the request are rows
        pa.field("first_index", pa.int32()),  # the event_index of the first
        pa.field("idempotency_key", pa.string()),
        pa.field("sdk_type", pa.string()),
        pa.field("sdk_version", pa.string()),
        pa.field("session_id", pa.string()),
        pa.field("stable_id", pa.string()),
        pa.field("sdk_metadata", pa.string()),
        pa.field("extra_request", pa.string()),  # a JSON object
    ]
)

# A body of 10 MiB can hold 300,000 events of JSON, and more of protobuf. What is made of so many at once would take
# several hundred MB, so larger bodies are decoded in slices.
MAX_EVENTS_AT_ONCE = 10_000

_STABLE_ID = "stableID"


class UndecodableBody(ValueError):
    """A body that was accepted can't be read as its record says; the text holds no event's content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedUsers:
    """The users that requests themselves have, for their events without one.

    Attributes:
        users: n rows of `USER_FIELDS`; all null where a request has none.
        are_of: m booleans: which events have no user of their own.
    """

    users: pa.RecordBatch
    are_of: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The facts of n bodies, or of a slice of the events of one.

    Attributes:
        events: m rows of `EVENT_FIELDS`, in the order of the bodies and their events.
        requests: n rows of `REQUEST_FIELDS`.
        shared_users: None: no request has one.
        exposures: `event_kind` and the exposures' columns, m rows of each; None: nobody has looked at them yet.
    """

    events: pa.RecordBatch
    requests: pa.RecordBatch
    shared_users: SharedUsers | None = None
    exposures: tuple[pa.Array, pa.RecordBatch] | None = None


def with_shared_users(decoded: Decoded) -> pa.RecordBatch:
    """The rows of the events, each with the user that it has or shares.

    The door bounds what a shared user may take on all rows together (`contract.MAX_SHARED_USER_BYTES`).
    """
    events, shared = decoded.events, decoded.shared_users
    if shared is None:
        return events
    own = pa.array(range(events.num_rows), pa.int64())
    place = pc.if_else(shared.are_of, pc.add(events.column("record").cast(pa.int64()), events.num_rows), own)
    for field in USER_FIELDS:
        column = pa.concat_arrays([events.column(field.name), shared.users.column(field.name)]).take(place)
        events = events.set_column(events.schema.get_field_index(field.name), field, column)
    return events


def map_column(maps: Sequence[Mapping[str, str] | None]) -> pa.Array:
    """A column of text maps; null where there is none or it is empty."""
    filled = [entries for entries in maps if entries]
    starts = accumulate([len(entries) if entries else 0 for entries in maps], initial=0)
    # A null offset is how Arrow is told of a null; its range is empty.
    offsets = [start if entries else None for start, entries in zip(starts, maps, strict=False)]
    keys = pa.array(list(chain.from_iterable(filled)), pa.string())
    values = pa.array(list(chain.from_iterable(entries.values() for entries in filled)), pa.string())
    return pa.MapArray.from_arrays(pa.array([*offsets, len(keys)], pa.int32()), keys, values)


def stable_ids(maps: Sequence[Mapping[str, str] | None], column: pa.Array) -> pa.Array:
    """The user's `stableID` of each map: the key of that very name, else the first by order that differs in case.

    Args:
        maps: the users' customIDs.
        column: the same as a column.
    """
    if not pc.any(pc.equal(pc.ascii_lower(column.keys), _STABLE_ID.lower())).as_py():
        return pa.nulls(len(maps), pa.string())
    return text_column([_stable_id(entries) if entries else None for entries in maps])


def _stable_id(entries: Mapping[str, str]) -> str | None:
    if _STABLE_ID in entries:
        return entries[_STABLE_ID]
    named = min(
        (key for key in entries if len(key) == len(_STABLE_ID) and key.lower() == _STABLE_ID.lower()), default=""
    )
    return entries.get(named) if named else None


def text_column(values: Sequence[str | None]) -> pa.Array:
    """A column of texts."""
    return pa.array(values, pa.string())


def kept_indices(record: StoredRequest, count: int) -> Sequence[int]:
    """The indices of those of a record's events that are rows."""
    if not record.quarantined_indices:
        return range(count)
    skipped = frozenset(record.quarantined_indices)
    return [index for index in range(count) if index not in skipped]


def is_large(record: StoredRequest) -> bool:
    """Whether a record is decoded alone, in slices of its events."""
    return record.event_count > MAX_EVENTS_AT_ONCE


def slices(indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """The indices in slices that may be decoded at once."""
    for start in range(0, len(indices), MAX_EVENTS_AT_ONCE):
        yield indices[start : start + MAX_EVENTS_AT_ONCE]


def int32_column(values: list[int]) -> pa.Array:
    """A column of small integers, by way of a plain buffer: several times quicker than element by element."""
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(array("i", values))])
