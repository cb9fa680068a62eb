"""Which of a user's ids is the stable one, compiled: as `fields.stable_ids` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native import found as of
from sluice.native.compiled import compiled
from sluice.native.order import order_of

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes
    from sluice.native.found import Found

__all__ = ["note_stable_id", "order_of_keys"]

_STABLE_ID = np.frombuffer(b"stableID", np.uint8)
# Between an ASCII letter and the same in the other case.
_OTHER_CASE = 0x20


@compiled
def note_stable_id(buffer: Bytes, found: Found, row: int, first: int, ids: int) -> None:
    """Note the stable one of the ids from `first` to `ids`, if there is one, as a field of the event."""
    best, best_rank = -1, 0
    for which in range(first, ids):
        rank = _rank(buffer, found, which)
        if rank > best_rank or (rank and rank == best_rank and order_of_keys(buffer, found, which, best) < 0):
            best, best_rank = which, rank
    if best >= 0:
        found.fields.begins[of.STABLE_ID, row] = found.ids.begins[of.TEXT, best]
        found.fields.sizes[of.STABLE_ID, row] = found.ids.sizes[of.TEXT, best]


@compiled
def _rank(buffer: Bytes, found: Found, which: int) -> int:
    """2 of the id whose key is the very `stableID`, 1 of one that differs in case, else 0."""
    if found.ids.sizes[of.KEY, which] != _STABLE_ID.shape[0]:
        return 0
    rank = 2
    for place in range(_STABLE_ID.shape[0]):
        byte = buffer[found.ids.begins[of.KEY, which] + place]
        if byte != _STABLE_ID[place]:
            if byte != _STABLE_ID[place] ^ _OTHER_CASE:
                return 0
            rank = 1
    return rank


@compiled
def order_of_keys(buffer: Bytes, found: Found, one: int, other: int) -> int:
    """How the keys of two ids stand to each other, as `order_of` has it."""
    begins, sizes = found.ids.begins[of.KEY], found.ids.sizes[of.KEY]
    return order_of(buffer, begins[one], sizes[one], begins[other], sizes[other])
