"""How the members of a JSON object are gone through whose keys are known, compiled. What bounds it: json_text.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native.arrays import widened
from sluice.native.compiled import compiled
from sluice.native.json_text import (
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_OBJECT,
    QUOTE,
    REFUSED,
    is_null,
    skip_space,
    skip_string,
    skip_value,
)
from sluice.native.vectors import WIDTH, same_bytes

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Spans

__all__ = [
    "any_key",
    "begins_with",
    "behind_value",
    "next_key",
    "open_or_null",
    "raw_or_null",
    "size_of",
    "table_of",
    "text_or_null",
    "which_key",
]

# Where in a row of a table the key's length stands.
_LENGTH = WIDTH - 1


def table_of(*keys: str) -> Bytes:
    """Keys as `next_key` wants them, each with its closing quote, and its length at the end. They are fewer than 16."""
    rows = [[*f'{key}"'.encode().ljust(_LENGTH, b"\0"), len(key)] for key in keys]
    return np.array(rows, np.uint8).reshape(-1, WIDTH)


@compiled
def size_of(table: Bytes, key: int) -> int:
    """How long one of a table's keys is."""
    return widened(table[key, _LENGTH])


@compiled
def begins_with(table: Bytes, key: int, buffer: Bytes, at: int) -> bool:
    """Whether one of a table's keys stands there, whatever follows it."""
    return same_bytes(table, key, buffer, at) >= size_of(table, key)


@compiled
def _stands_there(table: Bytes, key: int, buffer: Bytes, at: int) -> bool:
    return same_bytes(table, key, buffer, at) > size_of(table, key)


@compiled
def open_or_null(buffer: Bytes, at: int) -> tuple[int, bool]:
    """Where the first member of an object begins, and that there is one; or where it ends, or null does."""
    if is_null(buffer, at):
        return at + 4, False
    if buffer[at] != OPEN_OBJECT:
        return REFUSED, False
    at = skip_space(buffer, at + 1)
    return (at + 1, False) if buffer[at] == CLOSE_OBJECT else (at, True)


@compiled
def next_key(table: Bytes, follows: Bytes, last: int, buffer: Bytes, at: int) -> tuple[int, int]:
    """Which of a table's keys begins at `at`, and where its value begins; or REFUSED.

    Senders write an object's members in the same order again and again, so the key is tried first that followed the
    last time.

    Args:
        table: the keys.
        follows: which key followed each, behind the one that came first: changed.
        last: the key before it, REFUSED before the first.
        buffer: the bytes.
        at: where its opening quote is to be.
    """
    if buffer[at] != QUOTE:
        return REFUSED, REFUSED
    key = widened(follows[last + 1])
    if not _stands_there(table, key, buffer, at + 1):
        key = 0
        while not _stands_there(table, key, buffer, at + 1):
            key += 1
            if key == table.shape[0]:
                return REFUSED, REFUSED
        follows[last + 1] = key
    at = skip_space(buffer, at + size_of(table, key) + 2)
    return (key, skip_space(buffer, at + 1)) if buffer[at] == COLON else (REFUSED, REFUSED)


@compiled
def any_key(buffer: Bytes, at: int) -> tuple[int, int]:
    """Where any key ends that begins at `at`, and where its value begins; REFUSED where it holds an escape."""
    if buffer[at] != QUOTE:
        return REFUSED, REFUSED
    end, escaped = skip_string(buffer, at + 1)
    if end < 0 or escaped:
        return REFUSED, REFUSED
    at = skip_space(buffer, end + 1)
    return (end, skip_space(buffer, at + 1)) if buffer[at] == COLON else (REFUSED, REFUSED)


@compiled
def which_key(table: Bytes, buffer: Bytes, at: int, end: int) -> int:
    """Which of a table's keys a text is that ends before `end`; their number where it is none."""
    for key in range(table.shape[0]):
        if size_of(table, key) == end - at and begins_with(table, key, buffer, at):
            return key
    return widened(table.shape[0])


@compiled
def behind_value(buffer: Bytes, at: int) -> tuple[int, bool]:
    """Where the next member begins behind a value, or the object ends, and whether there is a next one."""
    at = skip_space(buffer, at)
    if buffer[at] == COMMA:
        return skip_space(buffer, at + 1), True
    return (at + 1 if buffer[at] == CLOSE_OBJECT else REFUSED), False


@compiled
def text_or_null(buffer: Bytes, at: int, spans: Spans, kind: int, number: int) -> int:
    """Note a text; return where it ends."""
    if buffer[at] == QUOTE:
        end, escaped = skip_string(buffer, at + 1)
        if end < 0:
            return REFUSED
        spans.begins[kind, number] = -(at + 1) if escaped else at + 1
        spans.sizes[kind, number] = end - at - 1
        return end + 1
    return at + 4 if is_null(buffer, at) else REFUSED


@compiled
def raw_or_null(buffer: Bytes, at: int, spans: Spans, kind: int, number: int) -> int:
    """Note the text that any value is itself; return where it ends."""
    if is_null(buffer, at):
        return at + 4
    end = skip_value(buffer, at)
    if end >= 0:
        spans.begins[kind, number] = at
        spans.sizes[kind, number] = end - at
    return end
