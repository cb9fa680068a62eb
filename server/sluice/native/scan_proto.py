"""One pass over an event of a LogEventRequest, compiled: it finds what scan_json.py finds, and writes Structs as JSON.

What it refuses: a field that it doesn't know, one that stands twice or in parts, more than `MAX_IDS` ids of a user,
what struct_json.py refuses.

What keeps it within the buffer: wire.py, and vectors.py. Texts are bounded by what they are made of. Who calls it sees
that there is room.

Source: proto/sluice/events/v1/events.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native import found as of
from sluice.native.compiled import compiled
from sluice.native.found import MAX_IDS, NULL
from sluice.native.json_numbers import may_be_number, short_number
from sluice.native.json_text import CLOSE_ARRAY, COMMA, OPEN_ARRAY, REFUSED
from sluice.native.stable_id import note_stable_id, order_of_keys
from sluice.native.struct_json import double_at, write_object
from sluice.native.wire import FIXED64, LENGTH, VARINT, is_utf8, map_entry, next_field, varint

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found, Spans
    from sluice.native.struct_json import Texts

__all__ = ["CLIENT_TIME", "EVENTS", "IDEMPOTENCY_KEY", "STATSIG_METADATA", "note_text", "scan_event"]

# Fields of LogEventRequest.
EVENTS, STATSIG_METADATA, IDEMPOTENCY_KEY, CLIENT_TIME = 1, 2, 3, 5

_USER, _NAME, _TIME, _VALUE, _METADATA, _SECONDARY_EXPOSURES, _EVENT_ID = range(1, 8)
_NULL_VALUE, _NUMBER_VALUE, _STRING_VALUE = range(1, 4)

_CUSTOM, _CUSTOM_IDS, _ENVIRONMENT = 3, 4, 10
# By the number of a user's field.
_TEXT_FIELDS = np.array(
    [-1, of.USER_ID, of.EMAIL, -1, -1, of.IP, of.USER_AGENT, of.COUNTRY, of.LOCALE, of.APP_VERSION, -1]
)


@compiled
def note_text(buffer: Bytes, at: int, end: int, spans: Spans, kind: int, number: int) -> bool:
    """Note a text; False where it stands twice, or is none."""
    if spans.sizes[kind, number] != NULL or not is_utf8(buffer, at, end):
        return False
    spans.begins[kind, number], spans.sizes[kind, number] = at, end - at
    return True


@compiled
def _note_struct(buffer: Bytes, at: int, end: int, found: Found, texts: Texts, to: int, kind: int, row: int) -> int:
    """Write an object, and note its text; return where it ends."""
    if found.fields.sizes[kind, row] != NULL:
        return REFUSED
    stop = write_object(buffer, at, end, texts, to)
    if stop >= 0:
        found.fields.begins[kind, row], found.fields.sizes[kind, row] = to, stop - to
    return stop


@compiled
def _note_another_exposure(buffer: Bytes, at: int, end: int, found: Found, texts: Texts, to: int, row: int) -> int:
    """Write an object behind those of the same array, which ends where `to` is; return where it ends then."""
    begins, sizes = found.fields.begins, found.fields.sizes
    if sizes[of.SECONDARY_EXPOSURES, row] == NULL:
        begins[of.SECONDARY_EXPOSURES, row] = to
        texts.text[to] = OPEN_ARRAY
        to += 1
    elif begins[of.SECONDARY_EXPOSURES, row] + sizes[of.SECONDARY_EXPOSURES, row] == to:
        texts.text[to - 1] = COMMA
    else:
        return REFUSED  # another text stands in between
    to = write_object(buffer, at, end, texts, to)
    if to < 0:
        return REFUSED
    texts.text[to] = CLOSE_ARRAY
    sizes[of.SECONDARY_EXPOSURES, row] = to + 1 - begins[of.SECONDARY_EXPOSURES, row]
    return to + 1


@compiled
def _scan_value(buffer: Bytes, at: int, end: int, found: Found, row: int) -> bool:
    if at == end:
        return True
    number, wire, start, stop = next_field(buffer, at, end)
    if stop != end:
        return False
    if number == _NUMBER_VALUE and wire == FIXED64:
        found.numbers[row], found.kinds[row] = double_at(buffer, start), of.NUMBER
        return np.isfinite(found.numbers[row])
    if number == _STRING_VALUE and wire == LENGTH:
        if not note_text(buffer, start, stop, found.fields, of.VALUE, row):
            return False
        said, is_short = short_number(buffer, start, stop)
        if is_short:
            found.numbers[row], found.kinds[row] = said, of.NUMBER_IN_TEXT
        elif may_be_number(buffer, start, stop):
            found.kinds[row] = of.ASK
        return True
    return number == _NULL_VALUE and wire == VARINT


@compiled
def _scan_id(buffer: Bytes, at: int, end: int, found: Found, first: int, ids: int) -> bool:
    """Note an entry of custom_ids, among those from `first` on that are sorted by their keys."""
    key, key_end, text, text_end = map_entry(buffer, at, end)
    if key < 0:
        return False
    begins, sizes = found.ids.begins, found.ids.sizes
    sizes[of.KEY, ids] = sizes[of.TEXT, ids] = NULL
    if not note_text(buffer, key, key_end, found.ids, of.KEY, ids):
        return False
    if not note_text(buffer, text, text_end, found.ids, of.TEXT, ids):
        return False
    place = ids
    while place > first:
        order = order_of_keys(buffer, found, place, place - 1)
        if order == 0:
            return False
        if order > 0:
            return True
        for kind in range(2):
            begin, size = begins[kind, place], sizes[kind, place]
            begins[kind, place], sizes[kind, place] = begins[kind, place - 1], sizes[kind, place - 1]
            begins[kind, place - 1], sizes[kind, place - 1] = begin, size
        place -= 1
    return True


@compiled
def _scan_user(
    buffer: Bytes, at: int, end: int, found: Found, texts: Texts, to: int, row: int, ids: int
) -> tuple[int, int]:
    """Note a user; return where texts end with its own, and how many ids there are."""
    first = ids
    while at < end:
        number, wire, start, at = next_field(buffer, at, end)
        if wire != LENGTH or number < 1 or number > _ENVIRONMENT:
            return REFUSED, ids
        if number == _CUSTOM:
            to = _note_struct(buffer, start, at, found, texts, to, of.CUSTOM, row)
            if to < 0:
                return REFUSED, ids
        elif number == _CUSTOM_IDS:
            if ids - first == MAX_IDS or not _scan_id(buffer, start, at, found, first, ids):
                return REFUSED, ids
            ids += 1
        elif number == _ENVIRONMENT:
            inner, wire, tier, stop = next_field(buffer, start, at)
            if inner != 1 or wire != LENGTH or stop != at:
                return REFUSED, ids
            if not note_text(buffer, tier, stop, found.fields, of.TIER, row):
                return REFUSED, ids
        elif not note_text(buffer, start, at, found.fields, _TEXT_FIELDS[number], row):
            return REFUSED, ids
    note_stable_id(buffer, found, row, first, ids)
    return to, ids


@compiled
def scan_event(
    buffer: Bytes, at: int, end: int, found: Found, texts: Texts, to: int, row: int, ids: int
) -> tuple[int, int]:
    """Note an event; return where texts end with its own, and how many ids there are."""
    for field in range(of.EXPOSURE_NAME):
        found.fields.sizes[field, row] = NULL
    found.has_time[row], found.has_user[row], found.kinds[row] = 0, 0, of.NO_NUMBER
    has_value = False
    while at < end:
        number, wire, start, at = next_field(buffer, at, end)
        if number == _TIME and wire == VARINT:
            found.times[row], _ = varint(buffer, start, at)
            found.has_time[row] = 1
            continue
        if number < 1 or wire != LENGTH:
            return REFUSED, ids
        is_good = True
        if number == _USER:
            is_good = not found.has_user[row]
            found.has_user[row] = 1
            if is_good:
                to, ids = _scan_user(buffer, start, at, found, texts, to, row, ids)
        elif number == _NAME:
            is_good = note_text(buffer, start, at, found.fields, of.EVENT_NAME, row)
        elif number == _VALUE:
            is_good, has_value = not has_value and _scan_value(buffer, start, at, found, row), True
        elif number == _METADATA:
            to = _note_struct(buffer, start, at, found, texts, to, of.METADATA, row)
        elif number == _SECONDARY_EXPOSURES:
            to = _note_another_exposure(buffer, start, at, found, texts, to, row)
        else:
            is_good = number == _EVENT_ID and note_text(buffer, start, at, found.fields, of.EVENT_ID, row)
        if to < 0 or not is_good:
            return REFUSED, ids
    return to, ids
