"""google.protobuf.Struct as JSON text, compiled: the same text that lake/struct_text.py writes, or REFUSED.

What is left to that one: more than `_MAX_KEYS` members of an object, a key that stands twice, deep nesting, a double
whose shortest text has more than 15 digits or an exponent.

A text is at most six times as long as what it is made of (a control character becomes six): that much room there
is behind what was written before, and the padding of vectors.py.

Source: google/protobuf/struct.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.native.arrays import widened
from sluice.native.compiled import compiled
from sluice.native.json_text import (
    BACKSLASH,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    REFUSED,
    ZERO,
)
from sluice.native.order import order_of
from sluice.native.vectors import WIDTH, copy_bytes, plain_bytes
from sluice.native.wire import FIXED64, LENGTH, VARINT, is_utf8, map_entry, next_field, varint

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes, Places

__all__ = ["LONGER", "Texts", "double_at", "room_for_texts", "write_object"]

# How many times as long a text may become.
LONGER = 6

_MAX_DEPTH = 32
_MAX_KEYS, _MAX_MEMBERS = 64, 1024

# Rows of `Texts.open_ones`; of the first: what it is.
_KIND, _PLACE, _END, _FIRST = range(4)
_OBJECT, _ARRAY = range(2)

_NULL_VALUE, _NUMBER_VALUE, _STRING_VALUE, _BOOL_VALUE, _STRUCT_VALUE, _LIST_VALUE = range(1, 7)

# The letter behind the backslash; 1: none, but \u00…. Only of what plain_bytes doesn't pass over.
_ESCAPED = np.zeros(256, np.uint8)
_ESCAPED[:0x20] = 1
_ESCAPED[list(b'"\\\b\f\n\r\t')] = list(b'"\\bfnrt')
_HEX_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)

_TRUE, _FALSE, _NULL = (np.frombuffer(text, np.uint8) for text in (b"true", b"false", b"null"))

# Below it a double is every integer; a decimal of 15 digits is none other than the double's shortest.
_INTEGRAL_BELOW = 2.0**53
_DECIMAL_BELOW = 1e15
_SMALLEST = 1e-4


class Texts(NamedTuple):
    """What Structs become.

    Attributes:
        text: JSON texts, one behind the other.
        members: 4 x k, int32: begins and sizes of the keys of objects, where their values begin and end.
        open_ones: 4 x k, int32: of each object or array that isn't closed yet what it is, which member or place is
            next, where it ends, and which one was first.
    """

    text: Bytes
    members: Places
    open_ones: Places


def room_for_texts(size_bytes: int) -> Texts:
    """Room for what all Structs in so many bytes may become."""
    return Texts(
        text=np.empty(LONGER * size_bytes + WIDTH, np.uint8),
        members=np.empty((4, _MAX_MEMBERS), np.int32),
        open_ones=np.empty((4, _MAX_DEPTH), np.int32),
    )


@compiled
def double_at(buffer: Bytes, at: int) -> float:
    """The double whose eight bytes begin there."""
    return buffer[at : at + 8].view(np.float64)[0]


@compiled
def _write(literal: Bytes, text: Bytes, to: int) -> int:
    for place in range(literal.shape[0]):
        text[to + place] = literal[place]
    return to + literal.shape[0]


@compiled
def _write_digits(number: int, digits: int, text: Bytes, to: int) -> int:
    """Write an integer with at least so many digits."""
    rest, size = number // 10, 1
    while rest or size < digits:
        rest, size = rest // 10, size + 1
    for place in range(size):
        text[to + size - 1 - place] = ZERO + number % 10
        number //= 10
    return to + size


@compiled
def _write_number(number: float, text: Bytes, to: int) -> int:
    """Write a double's shortest text; return where it ends."""
    if not np.isfinite(number):
        return REFUSED
    if number < 0 or (number == 0 and np.copysign(1.0, number) < 0):
        text[to] = 0x2D
        number, to = -number, to + 1
    if number < _INTEGRAL_BELOW and number == np.floor(number):
        return _write_digits(widened(number), 1, text, to)
    if not _SMALLEST <= number < _DECIMAL_BELOW:
        return REFUSED
    power, whole = 1.0, widened(1)
    for digits in range(1, 16):
        power, whole = power * 10.0, whole * 10
        decimal = np.rint(number * power)
        if decimal >= _DECIMAL_BELOW:
            return REFUSED
        if decimal / power == number:
            to = _write_digits(widened(decimal) // whole, 1, text, to)
            text[to] = 0x2E
            return _write_digits(widened(decimal) % whole, digits, text, to + 1)
    return REFUSED


@compiled
def _write_string(buffer: Bytes, at: int, end: int, text: Bytes, to: int) -> int:
    if not is_utf8(buffer, at, end):
        return REFUSED
    text[to] = QUOTE
    to += 1
    while at < end:
        plain = min(plain_bytes(buffer, at), end - at)
        if plain:
            copy_bytes(buffer, at, text, to)
            at, to = at + plain, to + plain
            continue
        byte = buffer[at]
        letter = _ESCAPED[byte]
        at += 1
        text[to] = BACKSLASH
        if letter != 1:
            text[to + 1] = letter
            to += 2
            continue
        text[to + 1], text[to + 2], text[to + 3] = 0x75, ZERO, ZERO
        text[to + 4], text[to + 5] = _HEX_DIGITS[byte >> 4], _HEX_DIGITS[byte & 0xF]
        to += 6
    text[to] = QUOTE
    return to + 1


@compiled
def _members(buffer: Bytes, at: int, end: int, entries: Places, first: int) -> int:
    """Note the members of an object, sorted by their keys, behind those noted before; return how many there are."""
    count = first
    while at < end:
        number, wire, start, at_next = next_field(buffer, at, end)
        if number != 1 or wire != LENGTH or count == entries.shape[1] or count - first == _MAX_KEYS:
            return REFUSED
        key, key_end, value, value_end = map_entry(buffer, start, at_next)
        if key < 0:
            return REFUSED
        place = count
        entries[0, count], entries[1, count] = key, key_end - key
        entries[2, count], entries[3, count] = value, value_end
        while place > first:
            order = order_of(buffer, entries[0, place], entries[1, place], entries[0, place - 1], entries[1, place - 1])
            if order == 0:
                return REFUSED
            if order > 0:
                break
            for row in range(4):
                moved = entries[row, place]
                entries[row, place] = entries[row, place - 1]
                entries[row, place - 1] = moved
            place -= 1
        count += 1
        at = at_next
    return count


@compiled
def _write_scalar(number: int, wire: int, buffer: Bytes, start: int, stop: int, text: Bytes, to: int) -> int:
    """Write a Value that is neither an object nor an array, whose field that is; return where it ends."""
    if number == _STRING_VALUE and wire == LENGTH:
        return _write_string(buffer, start, stop, text, to)
    if number == _NUMBER_VALUE and wire == FIXED64:
        return _write_number(double_at(buffer, start), text, to)
    if number == _BOOL_VALUE and wire == VARINT:
        said, _ = varint(buffer, start, stop)
        return _write(_TRUE, text, to) if said else _write(_FALSE, text, to)
    return _write(_NULL, text, to) if number == _NULL_VALUE and wire == VARINT else REFUSED


@compiled
def _open(open_ones: Places, depth: int, kind: int, place: int, end: int) -> None:
    open_ones[_KIND, depth], open_ones[_END, depth] = kind, end
    open_ones[_PLACE, depth] = open_ones[_FIRST, depth] = place


@compiled
def write_object(buffer: Bytes, at: int, end: int, texts: Texts, to: int) -> int:
    """Write a Struct as JSON, behind what was written before; return where its text ends.

    Not recursive: numba can't load a function from its cache that calls itself.
    """
    text, members, open_ones = texts
    depth, used = 0, _members(buffer, at, end, members, 0)
    if used < 0:
        return REFUSED
    text[to] = OPEN_OBJECT
    to += 1
    _open(open_ones, 0, _OBJECT, 0, used)
    while depth >= 0:
        kind, place = open_ones[_KIND, depth], open_ones[_PLACE, depth]
        stop, first = open_ones[_END, depth], open_ones[_FIRST, depth]
        if place == stop:
            text[to] = CLOSE_OBJECT if kind == _OBJECT else CLOSE_ARRAY
            to, depth = to + 1, depth - 1
            used = first if kind == _OBJECT else used
            continue
        if place != first:
            text[to] = COMMA
            to += 1
        if kind == _OBJECT:
            key, start, value_end = members[0, place], members[2, place], members[3, place]
            to = _write_string(buffer, key, key + members[1, place], text, to)
            if to < 0:
                return REFUSED
            text[to] = COLON
            to += 1
            open_ones[_PLACE, depth] = place + 1
        else:
            number, wire, start, value_end = next_field(buffer, place, stop)
            if number != 1 or wire != LENGTH:
                return REFUSED
            open_ones[_PLACE, depth] = value_end
        if start == value_end:
            to = _write(_NULL, text, to)
            continue
        number, wire, start, stop = next_field(buffer, start, value_end)
        if stop != value_end:
            return REFUSED  # of several the last one counts
        if wire != LENGTH or number not in (_STRUCT_VALUE, _LIST_VALUE):
            to = _write_scalar(number, wire, buffer, start, stop, text, to)
            if to < 0:
                return REFUSED
            continue
        depth += 1
        if depth == open_ones.shape[1]:
            return REFUSED
        if number == _LIST_VALUE:
            text[to] = OPEN_ARRAY
            _open(open_ones, depth, _ARRAY, start, stop)
        else:
            count = _members(buffer, start, stop, members, used)
            if count < 0:
                return REFUSED
            text[to] = OPEN_OBJECT
            _open(open_ones, depth, _OBJECT, used, count)
            used = count
        to += 1
    return to
