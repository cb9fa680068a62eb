"""One pass over bodies of LogEventRequest, compiled. It finds what stands where; scanned.py makes columns of that.

It refuses every message whose events scan_proto.py refuses, and one with a request's own user, a field that it doesn't
know, or one that stands twice. What is refused is left to the plain decoder.

What keeps it within the buffer: wire.py, and vectors.py. Within the arrays: events and ids are counted against their
room, and texts are bounded by what they are made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.native import found as of
from sluice.native.compiled import BYTES, INT64S, compiled, entry
from sluice.native.found import MAX_IDS, NULL, room_for
from sluice.native.json_text import REFUSED
from sluice.native.scan_proto import CLIENT_TIME, EVENTS, IDEMPOTENCY_KEY, STATSIG_METADATA, note_text, scan_event
from sluice.native.struct_json import room_for_texts
from sluice.native.wire import LENGTH, VARINT, next_field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sluice.native.arrays import Bytes
    from sluice.native.found import Found
    from sluice.native.struct_json import Texts

__all__ = ["scan_messages"]


@compiled
def _scan_message(
    buffer: Bytes, at: int, end: int, found: Found, texts: Texts, to: int, body: int, row: int, ids: int
) -> tuple[int, int, int]:
    """Note a message; return where texts end with its own, and how many events and ids there are."""
    found.said.sizes[of.ABOUT, body] = found.said.sizes[of.IDEMPOTENCY_KEY, body] = NULL
    while at < end:
        number, wire, start, at = next_field(buffer, at, end)
        if number == CLIENT_TIME and wire == VARINT:
            continue
        if number < 1 or wire != LENGTH:
            return REFUSED, row, ids
        if number == EVENTS:
            if row == found.times.shape[0] or ids + MAX_IDS > found.ids.sizes.shape[1]:
                return REFUSED, row, ids
            to, ids = scan_event(buffer, start, at, found, texts, to, row, ids)
            if to < 0:
                return REFUSED, row, ids
            if found.fields.sizes[of.EVENT_NAME, row] == NULL:
                found.fields.begins[of.EVENT_NAME, row] = found.fields.sizes[of.EVENT_NAME, row] = 0
            found.id_ends[row] = ids
            row += 1
        elif number == STATSIG_METADATA and found.said.sizes[of.ABOUT, body] == NULL:
            found.said.begins[of.ABOUT, body], found.said.sizes[of.ABOUT, body] = start, at - start
        elif number != IDEMPOTENCY_KEY or not note_text(buffer, start, at, found.said, of.IDEMPOTENCY_KEY, body):
            return REFUSED, row, ids
    return to, row, ids


@entry(BYTES, INT64S, room_for(bodies=2, events=2), room_for_texts(2))
def scan_messages(buffer: Bytes, ends: NDArray[np.int64], found: Found, texts: Texts) -> None:
    """Scan messages that stand one behind the other.

    Args:
        buffer: the bytes, padded (vectors.py).
        ends: n, int64: where each ends.
        found: room for n bodies; filled.
        texts: room for what their Structs become; filled.
    """
    at, to, row, ids = 0, 0, 0, 0
    for body in range(ends.shape[0]):
        stop, rows, with_its_own = _scan_message(buffer, at, ends[body], found, texts, to, body, row, ids)
        found.is_refused[body] = stop < 0
        if stop >= 0:
            to, row, ids = stop, rows, with_its_own
        found.row_ends[body] = row
        at = ends[body]
