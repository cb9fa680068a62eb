"""Bodies that came as protobuf, decoded to the lake's fields.

The messages hold nothing beyond the columns, so there is no `extra`. What is free-form becomes JSON text by the rules
of struct_text.py.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
from google.protobuf.message import DecodeError

from sluice.events.v1 import events_pb2 as api
from sluice.lake.fields import (
    EVENT_FIELDS,
    REQUEST_FIELDS,
    USER_FIELDS,
    Decoded,
    SharedUsers,
    UndecodableBody,
    int32_column,
    is_large,
    kept_indices,
    map_column,
    slices,
    stable_ids,
    text_column,
)
from sluice.lake.struct_text import number_text, object_text, quoted
from sluice.lake.value import number_in_text
from sluice.storage.v1 import log_record_pb2 as storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message
    from google.protobuf.struct_pb2 import Value

    from sluice.log.record_in_place import StoredRequest

__all__ = ["decode", "said_by"]

_Request: TypeAlias = api.LogEventRequest | api.ReceiveWebhookEventRequest


def decode(records: Sequence[StoredRequest]) -> Iterator[Decoded]:
    """Turn n bodies, each the bytes of a typed request message, into fields: together, or a large one in slices.

    Raises:
        UndecodableBody: one of them can't be read; give them one by one to find which.
    """
    if len(records) == 1 and is_large(records[0]):
        request = _request(records[0])
        kept = kept_indices(records[0], len(request.events))
        for indices in slices(kept):
            chosen = [request.events[index] for index in indices]
            yield _decoded(chosen, [0] * len(indices), list(indices), [(request, kept)])
    else:
        yield _together(records)


def _together(records: Sequence[StoredRequest]) -> Decoded:
    events: list[api.Event] = []
    rows: list[int] = []
    indices: list[int] = []
    requests: list[tuple[_Request, Sequence[int]]] = []
    for number, record in enumerate(records):
        request = _request(record)
        kept = kept_indices(record, len(request.events))
        events.extend(request.events[index] for index in kept)
        rows.extend(repeat(number, len(kept)))
        indices.extend(kept)
        requests.append((request, kept))
    return _decoded(events, rows, indices, requests)


def _decoded(
    events: list[api.Event], rows: list[int], indices: list[int], requests: list[tuple[_Request, Sequence[int]]]
) -> Decoded:
    shared = None
    if any(request.HasField("user") for request, _ in requests):
        shared = SharedUsers(
            users=pa.RecordBatch.from_pydict(_users([request.user for request, _ in requests]), schema=USER_FIELDS),
            are_of=pa.array([not event.HasField("user") for event in events], pa.bool_()),
        )
    fields = [_request_fields(request, kept) for request, kept in requests]
    return Decoded(
        events=_events(events, rows, indices),
        requests=pa.RecordBatch.from_pylist(fields, schema=REQUEST_FIELDS),
        shared_users=shared,
    )


def _request(record: StoredRequest) -> _Request:
    kind = (
        api.LogEventRequest
        if record.body_format == storage.BODY_FORMAT_LOG_EVENT_REQUEST
        else api.ReceiveWebhookEventRequest
    )
    try:
        return kind.FromString(bytes(record.body))
    except DecodeError as exc:
        raise UndecodableBody(f"not the bytes of a {kind.DESCRIPTOR.name}") from exc


def _request_fields(request: _Request, kept: Sequence[int]) -> dict[str, str | int | None]:
    fields: dict[str, str | int | None] = {
        "rows": len(kept),
        "first_index": kept[0] if kept else None,
        "idempotency_key": _text(request, "idempotency_key"),
    }
    if isinstance(request, api.LogEventRequest) and request.HasField("statsig_metadata"):
        fields |= said_by(request.statsig_metadata)
    return fields


def said_by(about: api.StatsigMetadata) -> dict[str, str | None]:
    """What a request says of what sent it, as columns of `REQUEST_FIELDS`."""
    members = {field.json_name: value for field, value in about.ListFields()}
    text = "{" + ",".join(f'"{key}":{quoted(members[key])}' for key in sorted(members)) + "}"
    names = ("sdk_type", "sdk_version", "session_id", "stable_id")
    return {name: _text(about, name) for name in names} | {"sdk_metadata": text}


def _events(events: list[api.Event], rows: list[int], indices: list[int]) -> pa.RecordBatch:
    numbers, texts = _values([event.value if event.HasField("value") else None for event in events])
    columns = {
        "record": int32_column(rows),
        "event_index": int32_column(indices),
        "event_id": _texts(events, "event_id"),
        "event_name": text_column([event.event_name for event in events]),
        "time_ms": pa.array([event.time if event.HasField("time") else None for event in events], pa.int64()),
        "value_number": numbers,
        "value_string": texts,
        "metadata": text_column([object_text(e.metadata) if e.HasField("metadata") else None for e in events]),
        "secondary_exposures": text_column([_exposures(event) for event in events]),
        "extra_event": pa.nulls(len(events), pa.string()),
    } | _users([event.user for event in events])
    return pa.RecordBatch.from_pydict(columns, schema=EVENT_FIELDS)


def _users(users: list[api.User]) -> dict[str, pa.Array]:
    """The columns of `USER_FIELDS`."""
    custom_ids = [dict(sorted(user.custom_ids.items())) for user in users]
    return {
        "user_id": _texts(users, "user_id"),
        "user_email": _texts(users, "email"),
        "user_custom": text_column([object_text(u.custom) if u.HasField("custom") else None for u in users]),
        "user_custom_ids": (ids := map_column(custom_ids)),
        "user_stable_id": stable_ids(custom_ids, ids),
        "user_ip": _texts(users, "ip"),
        "user_agent": _texts(users, "user_agent"),
        "user_country": _texts(users, "country"),
        "user_locale": _texts(users, "locale"),
        "user_app_version": _texts(users, "app_version"),
        "environment": _texts([user.statsig_environment for user in users], "tier"),
        "extra_user": pa.nulls(len(users), pa.string()),
    }


def _text(message: Message, name: str) -> str | None:
    return getattr(message, name) if message.HasField(name) else None


def _texts(messages: Sequence[Message], name: str) -> pa.Array:
    return text_column([getattr(message, name) if message.HasField(name) else None for message in messages])


def _exposures(event: api.Event) -> str | None:
    """A repeated field can't tell an empty list from none."""
    if not event.secondary_exposures:
        return None
    return "[" + ",".join(object_text(exposure) for exposure in event.secondary_exposures) + "]"


def _values(values: Sequence[Value | None]) -> tuple[pa.Array, pa.Array]:
    numbers: list[float | None] = [None] * len(values)
    texts: list[str | None] = [None] * len(values)
    for row, value in enumerate(values):
        match None if value is None else value.WhichOneof("kind"):
            case None | "null_value":
                continue
            case "number_value":
                assert value is not None
                numbers[row] = value.number_value
                number_text(value.number_value)
            case "string_value":
                assert value is not None
                texts[row] = value.string_value
                numbers[row] = number_in_text(value.string_value)
            case _:
                raise UndecodableBody("a value is neither text nor number")
    return pa.array(numbers, pa.float64()), text_column(texts)
