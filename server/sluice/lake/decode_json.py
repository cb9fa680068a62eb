"""Bodies that came as JSON, decoded in bulk to the lake's fields.

Most bodies hold what SDKs are known to send: msgspec reads those in one pass into structs. One that holds anything
else, such as a field without a column or a number as userID, is read member by member (json_members.py) into the same
structs, and what has no column into `extra`; so are the rarer forms of bodies. Columns are then built for all bodies at
once.

Free-form JSON keeps its exact text: it is cut out of the body, never parsed and printed.
"""

from __future__ import annotations

from array import array
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake import json_members
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
from sluice.lake.json_shapes import NO_USER, Event, ExtraTexts, KnownRequest, Request, User
from sluice.lake.value import is_held, number_in_text
from sluice.storage.v1 import log_record_pb2 as storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sluice.log.record_in_place import StoredRequest

__all__ = ["decode", "number_of"]

_KNOWN = msgspec.json.Decoder(KnownRequest)
_KNOWN_EVENTS = msgspec.json.Decoder(list[Event])
_TEXTS = msgspec.json.Decoder(list[str])
_QUOTE = ord('"')
_NULL = b"null"


class _Form(NamedTuple):
    """How bodies of one format are read member by member.

    Attributes:
        open: reads a body but for its events.
        read: reads those events.
    """

    open: Callable[[bytes | memoryview], tuple[Request, list[msgspec.Raw]]]
    read: Callable[[Sequence[msgspec.Raw]], tuple[list[Event], list[ExtraTexts]]]


_FORMS = {
    storage.BODY_FORMAT_JSON: _Form(json_members.open_request, json_members.read_events),
    storage.BODY_FORMAT_WEBHOOK_EVENT: _Form(json_members.open_webhook_event, json_members.read_webhook_events),
    storage.BODY_FORMAT_CUSTOM_EXPOSURES: _Form(json_members.open_exposures, json_members.read_exposures),
}


def decode(records: Sequence[StoredRequest]) -> Iterator[Decoded]:
    """Turn n JSON bodies into fields: all together, or a large one, given alone, in slices of its events.

    Raises:
        UndecodableBody: one of them can't be read; give them one by one to find which.
    """
    if len(records) == 1 and is_large(records[0]):
        yield from _in_slices(records[0])
    else:
        yield _together(records)


def _together(records: Sequence[StoredRequest]) -> Decoded:
    events: list[Event] = []
    rows: list[int] = []
    indices: list[int] = []
    requests: list[tuple[Request, Sequence[int]]] = []
    extras: dict[int, ExtraTexts] = {}
    for number, record in enumerate(records):
        request, kept = _request(record)
        extras.update((len(events) + row, extra) for row, extra in enumerate(request.event_extras))
        events.extend(request.events)
        rows.extend(repeat(number, len(kept)))
        indices.extend(kept)
        requests.append((request, kept))
    return _decoded(events, rows, indices, extras, requests)


def _in_slices(record: StoredRequest) -> Iterator[Decoded]:
    with _as_undecodable():
        str(record.body, "utf-8")
        request, raws = _FORMS[record.body_format].open(record.body)
    kept = kept_indices(record, len(raws))
    for indices in slices(kept):
        with _as_undecodable():
            events, extras = _read(record, [raws[index] for index in indices])
        yield _decoded(events, [0] * len(indices), list(indices), dict(enumerate(extras)), [(request, kept)])


def _read(record: StoredRequest, raws: Sequence[msgspec.Raw]) -> tuple[list[Event], list[ExtraTexts]]:
    if record.body_format == storage.BODY_FORMAT_JSON:
        try:
            return _KNOWN_EVENTS.decode(b"[" + b",".join(raws) + b"]"), []
        except msgspec.ValidationError:
            pass
    return _FORMS[record.body_format].read(raws)


def _decoded(
    events: list[Event],
    rows: list[int],
    indices: list[int],
    extras: dict[int, ExtraTexts],
    requests: list[tuple[Request, Sequence[int]]],
) -> Decoded:
    shared = None
    if any(request.user is not None for request, _ in requests):
        users = [request.user or NO_USER for request, _ in requests]
        texts = {row: request.user_extra for row, (request, _) in enumerate(requests) if request.user_extra is not None}
        shared = SharedUsers(
            users=pa.RecordBatch.from_arrays(_users(users, texts), schema=USER_FIELDS),
            are_of=pa.array([event.user is None for event in events], pa.bool_()),
        )
    return Decoded(events=_events(events, rows, indices, extras), requests=_requests(requests), shared_users=shared)


def _request(record: StoredRequest) -> tuple[Request, Sequence[int]]:
    """A request with those events alone that are rows, and the places of these in its body."""
    with _as_undecodable():
        str(record.body, "utf-8")  # msgspec doesn't look into what it cuts out
        # What stands in place of events that were set aside is no event.
        if record.body_format == storage.BODY_FORMAT_JSON and not record.quarantined_indices:
            try:
                request = json_members.request_of(_KNOWN.decode(record.body))
                return request, range(len(request.events))
            except msgspec.ValidationError:
                pass
        request, raws = _FORMS[record.body_format].open(record.body)
        kept = kept_indices(record, len(raws))
        events, extras = _read(record, [raws[index] for index in kept])
        return replace(request, events=events, event_extras=extras), kept


@contextmanager
def _as_undecodable() -> Iterator[None]:
    try:
        yield
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise UndecodableBody(f"not the JSON of a request: {type(exc).__name__}") from exc


def _requests(found: list[tuple[Request, Sequence[int]]]) -> pa.RecordBatch:
    requests = [request for request, _ in found]
    about = [request.about for request in requests]
    columns = {
        "rows": [len(kept) for _, kept in found],
        "first_index": [kept[0] if kept else None for _, kept in found],
        "idempotency_key": [request.idempotency_key for request in requests],
        "sdk_type": [a.sdk_type for a in about],
        "sdk_version": [a.sdk_version for a in about],
        "session_id": [a.session_id for a in about],
        "stable_id": [a.stable_id for a in about],
        "sdk_metadata": [request.sdk_metadata for request in requests],
        "extra_request": [request.extra for request in requests],
    }
    return pa.RecordBatch.from_pydict(columns, schema=REQUEST_FIELDS)


def _events(events: list[Event], rows: list[int], indices: list[int], extras: dict[int, ExtraTexts]) -> pa.RecordBatch:
    numbers, texts = _values([event.value for event in events])
    users = _users([event.user or NO_USER for event in events], {row: extra.user for row, extra in extras.items()})
    columns = [
        int32_column(rows),
        int32_column(indices),
        text_column([event.event_id for event in events]),
        text_column([event.event_name for event in events]),
        _times([event.time for event in events]),
        numbers,
        texts,
        _exact_texts([event.metadata for event in events]),
        _exact_texts([event.secondary_exposures for event in events]),
        *users[:-1],
        _extra(
            "statsigMetadata",
            [event.statsig_metadata for event in events],
            {row: extra.event for row, extra in extras.items()},
        ),
        users[-1],
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_FIELDS)


def _users(users: list[User], extras: Mapping[int, str | None]) -> list[pa.Array]:
    """The columns of `USER_FIELDS`."""
    custom_ids = _without_nulls([user.custom_ids for user in users])
    id_maps = map_column(custom_ids)
    return [
        text_column([user.user_id for user in users]),
        text_column([user.email for user in users]),
        _exact_texts([user.custom for user in users]),
        id_maps,
        stable_ids(custom_ids, id_maps),
        text_column([user.ip for user in users]),
        text_column([user.user_agent for user in users]),
        text_column([user.country for user in users]),
        text_column([user.locale for user in users]),
        text_column([user.app_version for user in users]),
        text_column([env.tier if (env := user.statsig_environment) else None for user in users]),
        _extra("analyticsOnlyMetadata", [user.analytics_only_metadata for user in users], extras),
    ]


def _times(times: list[int | None]) -> pa.Array:
    try:
        return pa.array(times, pa.int64())
    except OverflowError as exc:
        raise UndecodableBody("a time is no int64") from exc


def _without_nulls(maps: list[dict[str, str | None] | None]) -> list[dict[str, str] | None]:
    return [
        {key: value for key, value in ids.items() if value is not None} if ids and None in ids.values() else ids  # type: ignore[misc]  # mypy can't see what `None in` excludes
        for ids in maps
    ]


def _exact_texts(raws: list[msgspec.Raw]) -> pa.Array:
    """The JSON texts themselves, one behind the other in one buffer; null for `null`."""
    ends = array("i", accumulate(map(len, raws), initial=0))
    data = b"".join(raws)
    texts = pa.StringArray.from_buffers(len(raws), pa.py_buffer(ends), pa.py_buffer(data))
    return pc.if_else(pc.equal(texts, "null"), None, texts)


def _extra(key: str, raws: list[msgspec.Raw], found: Mapping[int, str | None]) -> pa.Array:
    """Objects with that one member, where it isn't null; `found` are the objects of bodies read member by member."""
    texts = _exact_texts(raws)
    objects = pc.binary_join_element_wise(f'{{"{key}":', texts, "}", "")
    if not found:
        return objects
    return pc.coalesce(text_column([found.get(row) for row in range(len(raws))]), objects)


def _values(raws: list[msgspec.Raw]) -> tuple[pa.Array, pa.Array]:
    """`value_number` and `value_string` of each value."""
    numbers: list[float | None] = [None] * len(raws)
    texts: list[str | None] = [None] * len(raws)
    quoted: list[int] = []
    for row, raw in enumerate(raws):
        sent = bytes(raw)
        if sent == _NULL:
            continue
        if sent[0] == _QUOTE:
            quoted.append(row)
        else:
            numbers[row], texts[row] = number_of(sent)
    for row, text in zip(quoted, _TEXTS.decode(b"[" + b",".join([raws[row] for row in quoted]) + b"]"), strict=True):
        texts[row] = text
        numbers[row] = number_in_text(text)
    return pa.array(numbers, pa.float64()), text_column(texts)


def number_of(sent: bytes) -> tuple[float | None, str | None]:
    """`value_number` and `value_string` of a value that is no text.

    Raises:
        UndecodableBody: it is no number.
    """
    text = sent.decode()
    try:
        number = float(text)
    except ValueError as exc:
        raise UndecodableBody("a value is neither text nor number") from exc
    if is_held(text, number):
        return number, None
    return (number if abs(number) != float("inf") else None), text
