"""One pass over the events of a JSON body, compiled. It finds what stands where (found.py).

It knows the members of an event and a user that have a column, and refuses every event that holds anything else, and
besides: a key that stands twice or is escaped, a time that is no plain integer, more than `MAX_IDS` ids of a user, or
one that is null.

What keeps it within the buffer: json_text.py, and vectors.py. Who calls it sees that there is room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native import found as of
from sluice.native.compiled import compiled
from sluice.native.found import NULL
from sluice.native.json_numbers import may_be_number, plain_integer, short_number
from sluice.native.json_object import behind_value, next_key, raw_or_null, table_of, text_or_null
from sluice.native.json_text import (
    IS_DIGIT,
    MINUS,
    OPEN_OBJECT,
    QUOTE,
    REFUSED,
    is_null,
    skip_space,
    skip_value,
)
from sluice.native.scan_user import scan_user

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = [
    "CLIENT_TIME",
    "EVENTS",
    "IDEMPOTENCY_KEY",
    "REQUEST",
    "ROW_OF_REQUEST",
    "STATSIG_METADATA",
    "USER",
    "scan_event",
]

# Keys of a request.
REQUEST = table_of("events", "statsigMetadata", "idempotencyKey", "clientTime", "user")
EVENTS, STATSIG_METADATA, IDEMPOTENCY_KEY, CLIENT_TIME, USER = range(5)

_EVENT = table_of("eventName", "user", "time", "value", "metadata", "secondaryExposures", "statsigMetadata", "eventID")
_NAME, _USER, _TIME, _VALUE = range(4)
_RAW_FIELDS = np.array([-1, -1, -1, -1, of.METADATA, of.SECONDARY_EXPOSURES, of.EVENT_ABOUT, -1])
_EVENT_ID = 7

# Of `Found.follows`.
ROW_OF_REQUEST, _ROW_OF_EVENT = 0, 1


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
