"""Texts that stand here and there in a buffer, one behind the other as Arrow wants them, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import types

from sluice.native.arrays import widened
from sluice.native.compiled import BYTES, INT32S, ROOM, compiled, entry
from sluice.native.json_text import BACKSLASH, HEX, UNESCAPED
from sluice.native.vectors import WIDTH, copy_bytes

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes, Places

__all__ = ["gather", "room_of"]


@entry(INT32S, types.int64)
def room_of(sizes: Places, rows: int) -> tuple[int, int]:
    """How many bytes the first texts take at most, and how many of them are null."""
    total, nulls = 0, 0
    for row in range(rows):
        if sizes[row] < 0:
            nulls += 1
        else:
            total += sizes[row]
    return total, nulls


@compiled
def _unescape(buffer: Bytes, at: int, size: int, data: Bytes, to: int) -> int:
    """Copy a text whose escapes are legal and no surrogates; return where its copy ends. It grows no longer."""
    end = at + size
    while at < end:
        if buffer[at] != BACKSLASH:
            data[to] = buffer[at]
            to, at = to + 1, at + 1
        elif UNESCAPED[buffer[at + 1]]:
            data[to] = UNESCAPED[buffer[at + 1]]
            to, at = to + 1, at + 2
        else:
            code = 0
            for place in range(2, 6):
                code = code * 16 + widened(HEX[buffer[at + place]])
            to, at = _encode(code, data, to), at + 6
    return to


@compiled
def _encode(code: int, data: Bytes, to: int) -> int:
    """Write a character of at most 16 bits as UTF-8 (RFC 3629, section 3); return where it ends."""
    if code < 0x80:
        data[to] = code
        return to + 1
    if code < 0x800:
        data[to] = 0xC0 | code >> 6
        data[to + 1] = 0x80 | code & 0x3F
        return to + 2
    data[to] = 0xE0 | code >> 12
    data[to + 1] = 0x80 | code >> 6 & 0x3F
    data[to + 2] = 0x80 | code & 0x3F
    return to + 3


@entry(BYTES, INT32S, INT32S, types.int64, INT32S, ROOM, ROOM)
def gather(buffer: Bytes, begins: Places, sizes: Places, rows: int, offsets: Places, data: Bytes, valid: Bytes) -> None:
    """Copy the first texts, one behind the other.

    Args:
        buffer: where they stand, without more checks: the pass found them there. Padded.
        begins: where each begins; a negative number where it holds escapes, which are resolved.
        sizes: of each; negative: null.
        rows: how many.
        offsets: rows + 1: filled.
        data: as many bytes as `room_of` says, and padding: filled.
        valid: a bit of each row, zero so far.
    """
    to = 0
    for row in range(rows):
        offsets[row] = to
        if sizes[row] < 0:
            continue
        valid[row >> 3] |= np.uint8(1 << (row & 7))
        if begins[row] < 0:
            to = _unescape(buffer, -begins[row], sizes[row], data, to)
        else:
            begin, size = widened(begins[row]), widened(sizes[row])
            for place in range(0, size, WIDTH):
                copy_bytes(buffer, begin + place, data, to + place)
            to += size
    offsets[rows] = to
