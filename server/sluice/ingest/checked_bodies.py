"""Bodies checked by what is compiled. It loads numba, so it is imported when there is much to check.

It never says what is wrong with a body: None, and who looks closer does.
"""

from __future__ import annotations

import threading

import numpy as np

from sluice.ingest.compiled_check import MOST_BYTES
from sluice.native.check_json import check_body
from sluice.native.check_proto import check_message
from sluice.native.found import room_for
from sluice.native.json_text import REFUSED
from sluice.native.struct_json import room_for_texts
from sluice.native.vectors import PADDING

__all__ = ["events_in_json", "events_in_message"]


class _Room(threading.local):
    """Where one thread checks its bodies, one after the other."""

    def __init__(self) -> None:
        self.buffer = np.empty(MOST_BYTES + len(PADDING), np.uint8)
        self.found = room_for(bodies=1, events=1)
        self.texts = room_for_texts(MOST_BYTES)

    def take(self, body: bytes) -> int:
        """Let a body stand in the buffer, and nothing behind it; return its size."""
        size = len(body)
        self.buffer[:size] = np.frombuffer(body, np.uint8)
        self.buffer[size : size + len(PADDING)] = 0
        return size


_ROOM = _Room()


def events_in_json(body: bytes) -> int | None:
    """How many events a JSON body holds that surely keeps the contract, and holds no privateAttributes; else None."""
    events = check_body(_ROOM.buffer, _ROOM.take(body), _ROOM.found)
    return None if events == REFUSED else events


def events_in_message(body: bytes) -> tuple[int, int | None] | None:
    """As `events_in_json`, of a LogEventRequest, and besides the client's clock as it tells it."""
    events, tells_time, client_time = check_message(_ROOM.buffer, _ROOM.take(body), _ROOM.found, _ROOM.texts)
    return None if events == REFUSED else (events, client_time if tells_time else None)
