"""Ids for events that the caller gave none: 128 random bits, as in a UUID.

Drawn many at a time: the system's source lets other threads in with each call, which costs 10 µs beside a busy one.
"""

from __future__ import annotations

import os
import secrets

__all__ = ["new_event_id"]

_BYTES = 16
_AT_A_TIME = 256

_drawn: list[str] = []
# A fork would make the same ids as its parent.
os.register_at_fork(after_in_child=_drawn.clear)


def new_event_id() -> str:
    """A new id: 32 hexadecimal digits. From any thread."""
    try:
        return _drawn.pop()
    except IndexError:
        digits = secrets.token_hex(_BYTES * _AT_A_TIME)
        first, *others = (digits[at : at + 2 * _BYTES] for at in range(0, len(digits), 2 * _BYTES))
        _drawn.extend(others)
        return first
