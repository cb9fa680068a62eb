"""How two texts of a buffer stand to each other, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.native.compiled import compiled

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes

__all__ = ["order_of"]


@compiled
def order_of(buffer: Bytes, one: int, size: int, other: int, than: int) -> int:
    """Less than 0, 0 or more, by their bytes, which in UTF-8 is by code point.

    Args:
        buffer: where both stand.
        one: where the first begins.
        size: its length.
        other: where the second begins.
        than: its length.
    """
    for place in range(min(size, than)):
        byte, against = buffer[one + place], buffer[other + place]
        if byte != against:
            return -1 if byte < against else 1
    return size - than
