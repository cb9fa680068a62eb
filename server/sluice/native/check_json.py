"""Whether a JSON body surely keeps the contract, compiled: it says yes, or leaves the body to who looks closer.

It takes a part of what ingest/validate.py takes: what scan_json.py knows, each event with a name, a user or null, and a
plain integer as its time. As a user then holds no key but those known, there are no privateAttributes.

Source: paths./log_event.post.requestBody, paths./webhooks/event_webhook.post.requestBody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import types

from sluice.contract import STATSIG_METADATA_FIELDS
from sluice.native import found as of
from sluice.native.compiled import ROOM, compiled, entry
from sluice.native.found import NULL, room_for
from sluice.native.json_object import any_key, behind_value, next_key, open_or_null, table_of, which_key
from sluice.native.json_text import (
    CLOSE_ARRAY,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    REFUSED,
    is_null,
    skip_space,
    skip_value,
)
from sluice.native.scan_json import EVENTS, REQUEST, ROW_OF_REQUEST, STATSIG_METADATA, USER, scan_event
from sluice.native.wire import is_utf8

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found, Spans

__all__ = ["check_body"]

_TEXTS_OF_ABOUT = table_of(*STATSIG_METADATA_FIELDS)
_TEXTS = len(STATSIG_METADATA_FIELDS)


@compiled
def _is_object_or_null(buffer: Bytes, spans: Spans, kind: int) -> bool:
    return spans.sizes[kind, 0] == NULL or buffer[spans.begins[kind, 0]] == OPEN_OBJECT


@compiled
def _is_number_beyond_doubt(buffer: Bytes, found: Found) -> bool:
    """Whether a value is no number, or one that every reader takes."""
    return found.kinds[0] != of.ASK or buffer[abs(found.fields.begins[of.VALUE, 0]) - 1] == QUOTE


@compiled
def _check_event(buffer: Bytes, at: int, found: Found) -> int:
    """Return where an event ends; all of them are noted in the same place."""
    at, _ = scan_event(buffer, at, found, 0, 0)
    if at < 0 or not found.has_time[0] or not found.has_user[0] or not _is_number_beyond_doubt(buffer, found):
        return REFUSED
    for kind in (of.METADATA, of.CUSTOM):
        if not _is_object_or_null(buffer, found.fields, kind):
            return REFUSED
    return at


@compiled
def _check_events(buffer: Bytes, at: int, found: Found) -> tuple[int, int]:
    """Return where an array of events ends, and how many there are."""
    events = 0
    if buffer[at] != OPEN_ARRAY:
        return REFUSED, events
    at = skip_space(buffer, at + 1)
    if buffer[at] == CLOSE_ARRAY:
        return at + 1, events
    while True:
        at = _check_event(buffer, at, found)
        if at < 0:
            return REFUSED, events
        events += 1
        at = skip_space(buffer, at)
        if buffer[at] != COMMA:
            return (at + 1 if buffer[at] == CLOSE_ARRAY else REFUSED), events
        at = skip_space(buffer, at + 1)


@compiled
def _check_about(buffer: Bytes, at: int) -> int:
    """Return where statsigMetadata end: some of their members must be a text or null."""
    at, more = open_or_null(buffer, at)
    while more:
        key = at + 1
        end, at = any_key(buffer, at)
        if end < 0:
            return REFUSED
        must_be_text = which_key(_TEXTS_OF_ABOUT, buffer, key, end) < _TEXTS
        if must_be_text and buffer[at] != QUOTE and not is_null(buffer, at):
            return REFUSED
        at = skip_value(buffer, at)
        if at < 0:
            return REFUSED
        at, more = behind_value(buffer, at)
    return at


@entry(ROOM, types.int64, room_for(bodies=1, events=1))
def check_body(buffer: Bytes, size: int, found: Found) -> int:
    """Return how many events a body holds that surely keeps the contract; REFUSED where that isn't sure.

    Args:
        buffer: the body, a zero byte behind it, and padding (vectors.py).
        size: of the body.
        found: room for one event.
    """
    at = skip_space(buffer, 0)
    if buffer[at] != OPEN_OBJECT:
        return REFUSED
    at = skip_space(buffer, at + 1)
    key, seen, more, events = REFUSED, 0, True, 0
    while more:
        key, at = next_key(REQUEST, found.follows[ROW_OF_REQUEST], key, buffer, at)
        if key < 0 or seen >> key & 1:
            return REFUSED
        seen |= 1 << key
        if key == EVENTS:
            at, events = _check_events(buffer, at, found)
        elif key == STATSIG_METADATA:
            at = _check_about(buffer, at)
        elif key != USER:
            at = skip_value(buffer, at)
        else:
            at = at + 4 if is_null(buffer, at) else REFUSED
        if at < 0:
            return REFUSED
        at, more = behind_value(buffer, at)
    if at < 0 or not seen >> EVENTS & 1 or skip_space(buffer, at) != size:
        return REFUSED
    return events if is_utf8(buffer, 0, size) else REFUSED
