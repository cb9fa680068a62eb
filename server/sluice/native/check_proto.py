"""Whether a LogEventRequest surely keeps the contract, compiled: it says yes, or leaves it to who looks closer.

It takes a part of what ingest/validate_proto.py takes: what scan_proto.py knows, each event with a name and a user.

Source: proto/sluice/events/v1/events.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import types

from sluice.contract import STATSIG_METADATA_FIELDS
from sluice.native import found as of
from sluice.native.arrays import widened
from sluice.native.compiled import ROOM, compiled, entry
from sluice.native.found import NULL, room_for
from sluice.native.json_text import REFUSED
from sluice.native.scan_proto import CLIENT_TIME, EVENTS, IDEMPOTENCY_KEY, STATSIG_METADATA, scan_event
from sluice.native.struct_json import room_for_texts
from sluice.native.wire import LENGTH, VARINT, is_utf8, next_field, varint

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found
    from sluice.native.struct_json import Texts

__all__ = ["check_message"]

_TEXTS_OF_ABOUT = len(STATSIG_METADATA_FIELDS)


@compiled
def _check_about(buffer: Bytes, at: int, end: int) -> bool:
    """Whether that is a StatsigMetadata without any unknown field."""
    while at < end:
        number, wire, start, at = next_field(buffer, at, end)
        if not 1 <= number <= _TEXTS_OF_ABOUT or wire != LENGTH or not is_utf8(buffer, start, at):
            return False
    return True


@compiled
def _check_event(buffer: Bytes, at: int, end: int, found: Found, texts: Texts) -> bool:
    """Whether that is a good event; what is found in all of them is noted in the same place."""
    to, _ = scan_event(buffer, at, end, found, texts, 0, 0, 0)
    return to >= 0 and found.has_user[0] != 0 and found.fields.sizes[of.EVENT_NAME, 0] != NULL


@entry(ROOM, types.int64, room_for(bodies=1, events=1), room_for_texts(2))
def check_message(buffer: Bytes, size: int, found: Found, texts: Texts) -> tuple[int, bool, int]:
    """Return how many events a message holds that surely keeps the contract; REFUSED where that isn't sure.

    And whether it tells the client's clock, and what that is.

    Args:
        buffer: the message, and padding (vectors.py).
        size: of the message.
        found: room for one event.
        texts: room for what the Structs of one event become.
    """
    at, events, tells_time, client_time = 0, 0, False, widened(0)
    while at < size:
        number, wire, start, at = next_field(buffer, at, size)
        if number == CLIENT_TIME and wire == VARINT:
            tells_time, (client_time, _) = True, varint(buffer, start, at)
            continue
        is_good = number > 0 and wire == LENGTH
        if is_good and number == EVENTS:
            is_good = _check_event(buffer, start, at, found, texts)
            events += 1
        elif is_good and number == STATSIG_METADATA:
            is_good = _check_about(buffer, start, at)
        elif is_good:
            is_good = number == IDEMPOTENCY_KEY and is_utf8(buffer, start, at)
        if not is_good:
            return REFUSED, False, widened(0)
    return events, tells_time, client_time
