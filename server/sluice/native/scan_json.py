"""One pass over JSON bodies, compiled. It finds what stands where (found.py); scanned.py makes columns of that.

It knows what `json_shapes.KnownRequest` knows, and refuses every body that holds anything else, and besides: a key
that stands twice or is escaped, a request's own user, a time that is no plain integer, more than `MAX_IDS` ids of a
user, or one that is null. What is refused leaves no row, and is left to the plain decoder.

What keeps it within the buffer: json_text.py, and vectors.py. Within the arrays: events and ids are counted against
their room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native import found as of
from sluice.native.compiled import BYTES, INT64S, compiled, entry
from sluice.native.found import MAX_IDS, NULL, room_for
from sluice.native.json_numbers import may_be_number, plain_integer, short_number
from sluice.native.json_object import behind_value, next_key, raw_or_null, table_of, text_or_null
from sluice.native.json_text import (
    CLOSE_ARRAY,
    COMMA,
    IS_DIGIT,
    MINUS,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    REFUSED,
    is_null,
    skip_space,
    skip_value,
)
from sluice.native.scan_user import scan_user

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = ["scan_bodies", "scan_event"]

_REQUEST = table_of("events", "statsigMetadata", "idempotencyKey", "clientTime", "user")
_EVENTS, _STATSIG_METADATA, _IDEMPOTENCY_KEY, _CLIENT_TIME = range(4)

_EVENT = table_of("eventName", "user", "time", "value", "metadata", "secondaryExposures", "statsigMetadata", "eventID")
_NAME, _USER, _TIME, _VALUE = range(4)
_RAW_FIELDS = np.array([-1, -1, -1, -1, of.METADATA, of.SECONDARY_EXPOSURES, of.EVENT_ABOUT, -1])
_EVENT_ID = 7

# Of `Found.follows`.
_ROW_OF_REQUEST, _ROW_OF_EVENT = 0, 1


@compiled
def _scan_value(buffer: Bytes, at: int, found: Found, row: int) -> int:
    """Note a number, a text or null; what is harder than most is left to who asks."""
    if is_null(buffer, at):
        return at + 4
    if buffer[at] == QUOTE:
        end = text_or_null(buffer, at, found.fields, of.VALUE, row)
        if end < 0:
            return REFUSED
        number, is_short = short_number(buffer, at + 1, end - 1)
        if is_short:
            found.numbers[row], found.kinds[row] = number, of.NUMBER_IN_TEXT
        elif found.fields.begins[of.VALUE, row] < 0 or may_be_number(buffer, at + 1, end - 1):
            found.kinds[row] = of.ASK
        return end
    if buffer[at] != MINUS and not IS_DIGIT[buffer[at]]:
        return REFUSED
    end = skip_value(buffer, at)
    if end < 0:
        return REFUSED
    number, is_short = short_number(buffer, at, end)
    if is_short:
        found.numbers[row], found.kinds[row] = number, of.NUMBER
    else:
        found.kinds[row] = of.ASK
        found.fields.begins[of.VALUE, row], found.fields.sizes[of.VALUE, row] = at, end - at
    return end


@compiled
def scan_event(buffer: Bytes, at: int, found: Found, row: int, ids: int) -> tuple[int, int]:
    """Note an event; return where it ends, and how many ids there are with its own."""
    if buffer[at] != OPEN_OBJECT:
        return REFUSED, ids
    for field in range(of.EXPOSURE_NAME):
        found.fields.sizes[field, row] = NULL
    found.has_time[row], found.has_user[row], found.kinds[row] = 0, 0, of.NO_NUMBER
    at = skip_space(buffer, at + 1)
    key, seen, more = REFUSED, 0, True
    while more:
        key, at = next_key(_EVENT, found.follows[_ROW_OF_EVENT], key, buffer, at)
        if key < 0 or seen >> key & 1:
            return REFUSED, ids
        seen |= 1 << key
        if key == _NAME:
            at = REFUSED if is_null(buffer, at) else text_or_null(buffer, at, found.fields, of.EVENT_NAME, row)
        elif key == _USER:
            at, ids = scan_user(buffer, at, found, row, ids)
            found.has_user[row] = 1
        elif key == _VALUE:
            at = _scan_value(buffer, at, found, row)
        elif key == _EVENT_ID:
            at = text_or_null(buffer, at, found.fields, of.EVENT_ID, row)
        elif key != _TIME:
            at = raw_or_null(buffer, at, found.fields, _RAW_FIELDS[key], row)
        elif is_null(buffer, at):
            at += 4
        else:
            found.times[row], at = plain_integer(buffer, at)
            found.has_time[row] = 1
        if at < 0:
            return REFUSED, ids
        at, more = behind_value(buffer, at)
    return (at if seen >> _NAME & 1 else REFUSED), ids


@compiled
def _scan_events(buffer: Bytes, at: int, found: Found, row: int, ids: int) -> tuple[int, int, int]:
    """Note an array of events; return where it ends, and how many events and ids there are with its own."""
    if buffer[at] != OPEN_ARRAY:
        return REFUSED, row, ids
    at = skip_space(buffer, at + 1)
    if buffer[at] == CLOSE_ARRAY:
        return at + 1, row, ids
    while row < found.times.shape[0] and ids + MAX_IDS <= found.ids.sizes.shape[1]:
        at, ids = scan_event(buffer, at, found, row, ids)
        if at < 0:
            break
        found.id_ends[row] = ids
        row += 1
        at = skip_space(buffer, at)
        if buffer[at] == CLOSE_ARRAY:
            return at + 1, row, ids
        if buffer[at] != COMMA:
            break
        at = skip_space(buffer, at + 1)
    return REFUSED, row, ids


@compiled
def _scan_body(buffer: Bytes, at: int, found: Found, body: int, row: int, ids: int) -> tuple[int, int, int]:
    """Note a body; return where it ends, and how many events and ids there are with its own."""
    found.said.sizes[of.ABOUT, body] = found.said.sizes[of.IDEMPOTENCY_KEY, body] = NULL
    at = skip_space(buffer, at)
    if buffer[at] != OPEN_OBJECT:
        return REFUSED, row, ids
    at = skip_space(buffer, at + 1)
    key, seen, more = REFUSED, 0, True
    while more:
        key, at = next_key(_REQUEST, found.follows[_ROW_OF_REQUEST], key, buffer, at)
        if key < 0 or seen >> key & 1:
            return REFUSED, row, ids
        seen |= 1 << key
        if key == _EVENTS:
            at, row, ids = _scan_events(buffer, at, found, row, ids)
        elif key == _IDEMPOTENCY_KEY:
            at = text_or_null(buffer, at, found.said, of.IDEMPOTENCY_KEY, body)
        elif key == _CLIENT_TIME:
            at = skip_value(buffer, at)
        elif is_null(buffer, at):
            at += 4
        elif key == _STATSIG_METADATA and buffer[at] == OPEN_OBJECT:
            at = raw_or_null(buffer, at, found.said, of.ABOUT, body)
        else:
            at = REFUSED
        if at < 0:
            return REFUSED, row, ids
        at, more = behind_value(buffer, at)
    if at < 0 or not seen >> _EVENTS & 1:
        return REFUSED, row, ids
    return skip_space(buffer, at), row, ids


@entry(BYTES, INT64S, room_for(bodies=2, events=2))
def scan_bodies(buffer: Bytes, ends: NDArray[np.int64], found: Found) -> None:
    """Scan bodies that stand one behind the other, each with a zero byte behind it.

    Args:
        buffer: the bytes, padded (vectors.py).
        ends: n, int64: where the zero byte behind each body stands.
        found: room for n bodies; filled.
    """
    at, row, ids = 0, 0, 0
    for body in range(ends.shape[0]):
        end, rows, with_its_own = _scan_body(buffer, at, found, body, row, ids)
        # A zero byte that stands in a body ends the scan too early.
        found.is_refused[body] = end != ends[body]
        if end == ends[body]:
            row, ids = rows, with_its_own
        found.row_ends[body] = row
        at = ends[body] + 1
