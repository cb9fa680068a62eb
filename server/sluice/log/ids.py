"""Ids of requests and segments: UUIDv7, which sort by when they were made.

Source: RFC 9562, section 5.7, and its method 2 of section 6.2 (a random part that counts upwards).
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid

__all__ = ["new_request_id", "new_segment_uuid", "request_id_text"]

_RANDOM_BITS = 74
_LIMIT = 1 << _RANDOM_BITS
# One in 2^32 apart on average, so that an id doesn't tell its neighbours.
_STEP_BITS = 33


class _Sequence:
    """Numbers of 48 bits of milliseconds and 74 random bits, each greater than the one before.

    Args:
        ahead_ms: a clock that was set back by more is followed: then numbers are less than those before. None: never.
    """

    def __init__(self, *, ahead_ms: int | None = None) -> None:
        self._ahead_ms = ahead_ms
        self._lock = threading.Lock()
        self._ms = 0
        self._random = 0

    def next(self) -> tuple[int, int]:
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            was_set_back = self._ahead_ms is not None and now_ms < self._ms - self._ahead_ms
            if now_ms > self._ms or was_set_back:
                self._ms = now_ms
                # The upper half stays free for counting.
                self._random = secrets.randbits(_RANDOM_BITS - 1)
            else:
                self._random += 1 + secrets.randbits(_STEP_BITS)
                if self._random >= _LIMIT:
                    self._ms += 1
                    self._random = secrets.randbits(_RANDOM_BITS - 1)
            return self._ms, self._random


_requests = _Sequence()
# As long as times of records are held: arrival.py.
_segments = _Sequence(ahead_ms=1000)


def new_request_id() -> bytes:
    """Make a UUIDv7, 16 bytes; greater than all that this process made before, whatever the clock does."""
    return _packed(*_requests.next())


def new_segment_uuid() -> uuid.UUID:
    """Make a UUIDv7 for a segment: its time is the clock's, also of one that was set back, since ages count from it."""
    return uuid.UUID(bytes=_packed(*_segments.next()))


def _packed(ms: int, random: int) -> bytes:
    upper, lower = random >> 62, random & ((1 << 62) - 1)
    return (ms << 80 | 0x7 << 76 | upper << 64 | 0b10 << 62 | lower).to_bytes(16, "big")


def request_id_text(request_id: bytes) -> str:
    """A UUID's usual text, as rows and answers carry it: 36 characters, lower case."""
    text = request_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
