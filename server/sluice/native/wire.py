"""How protobuf's wire format is gone through, compiled: refused by REFUSED wherever it isn't met.

Each function is given where what it reads ends, and takes nothing from there on.

Source: protobuf.dev/programming-guides/encoding; RFC 3629, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.native.arrays import widened
from sluice.native.compiled import compiled
from sluice.native.json_text import REFUSED
from sluice.native.vectors import ascii_bytes

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes

__all__ = ["FIXED64", "LENGTH", "VARINT", "is_utf8", "map_entry", "next_field", "varint"]

VARINT, FIXED64, LENGTH = 0, 1, 2

_FIXED64_BYTES = 8
_MAX_VARINT_BITS = 70
# Of a tag or a length: what has more, protobuf's own readers refuse.
_MAX_SHORT_BYTES = 5


@compiled
def varint(buffer: Bytes, at: int, end: int) -> tuple[int, int]:
    """An integer of 64 bits, and where it ends."""
    number, shift = widened(0), widened(0)
    while at < end and shift < _MAX_VARINT_BITS:
        byte = widened(buffer[at])
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            # The tenth byte has room for one bit: more is what no writer writes.
            return number, (REFUSED if shift == _MAX_VARINT_BITS and byte > 1 else at)
    return number, REFUSED


@compiled
def next_field(buffer: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """The next field of a message: its number, wire type, and where its value begins and ends; or REFUSED as number."""
    tag, at = varint(buffer, at, min(end, at + _MAX_SHORT_BYTES))
    number, wire = tag >> 3, tag & 7
    if at < 0 or number <= 0:
        return REFUSED, 0, 0, 0
    if wire == VARINT:
        _, stop = varint(buffer, at, end)
    elif wire == FIXED64:
        stop = at + _FIXED64_BYTES
    elif wire == LENGTH:
        size, at = varint(buffer, at, min(end, at + _MAX_SHORT_BYTES))
        stop = at + size if at >= 0 and 0 <= size <= end - at else REFUSED
    else:
        stop = REFUSED
    if stop < 0 or stop > end:
        return REFUSED, 0, 0, 0
    return number, wire, at, stop


@compiled
def map_entry(buffer: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Where key and value of a map's entry begin and end; REFUSED where it holds more, less, or anything else."""
    number, wire, key, key_end = next_field(buffer, at, end)
    if number != 1 or wire != LENGTH:
        return REFUSED, 0, 0, 0
    number, wire, value, value_end = next_field(buffer, key_end, end)
    if number != 2 or wire != LENGTH or value_end != end:
        return REFUSED, 0, 0, 0
    return key, key_end, value, value_end


@compiled
def _continues(buffer: Bytes, at: int, end: int) -> bool:
    return at < end and buffer[at] & 0xC0 == 0x80


@compiled
def is_utf8(buffer: Bytes, at: int, end: int) -> bool:
    """Whether bytes are text."""
    while at < end:
        ascii_ones = min(ascii_bytes(buffer, at), end - at)
        if ascii_ones:
            at += ascii_ones
            continue
        first = buffer[at]
        if not _continues(buffer, at + 1, end):
            return False
        second = buffer[at + 1]
        if 0xC2 <= first <= 0xDF:
            at += 2
            continue
        if not _continues(buffer, at + 2, end):
            return False
        if 0xE0 <= first <= 0xEF:
            # Neither overlong, nor half of a surrogate pair.
            if (first == 0xE0 and second < 0xA0) or (first == 0xED and second > 0x9F):
                return False
            at += 3
            continue
        if not 0xF0 <= first <= 0xF4 or not _continues(buffer, at + 3, end):
            return False
        if (first == 0xF0 and second < 0x90) or (first == 0xF4 and second > 0x8F):
            return False
        at += 4
    return True
