"""One pass over JSON bodies, compiled. It finds what stands where (found.py); scanned.py makes columns of that.

It refuses every body of which scan_json.py refuses an event, and one with a request's own user. What is refused leaves
no row, and is left to the plain decoder.

What keeps it within the buffer: json_text.py, and vectors.py. Within the arrays: events and ids are counted against
their room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.native import found as of
from sluice.native.compiled import BYTES, INT64S, compiled, entry
from sluice.native.found import MAX_IDS, NULL, room_for
from sluice.native.json_object import behind_value, next_key, raw_or_null, text_or_null
from sluice.native.json_text import (
    CLOSE_ARRAY,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    REFUSED,
    is_null,
    skip_space,
    skip_value,
)
from sluice.native.scan_json import (
    CLIENT_TIME,
    EVENTS,
    IDEMPOTENCY_KEY,
    REQUEST,
    ROW_OF_REQUEST,
    STATSIG_METADATA,
    scan_event,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = ["scan_bodies"]


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
        key, at = next_key(REQUEST, found.follows[ROW_OF_REQUEST], key, buffer, at)
        if key < 0 or seen >> key & 1:
            return REFUSED, row, ids
        seen |= 1 << key
        if key == EVENTS:
            at, row, ids = _scan_events(buffer, at, found, row, ids)
        elif key == IDEMPOTENCY_KEY:
            at = text_or_null(buffer, at, found.said, of.IDEMPOTENCY_KEY, body)
        elif key == CLIENT_TIME:
            at = skip_value(buffer, at)
        elif is_null(buffer, at):
            at += 4
        elif key == STATSIG_METADATA and buffer[at] == OPEN_OBJECT:
            at = raw_or_null(buffer, at, found.said, of.ABOUT, body)
        else:
            at = REFUSED
        if at < 0:
            return REFUSED, row, ids
        at, more = behind_value(buffer, at)
    if at < 0 or not seen >> EVENTS & 1:
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
