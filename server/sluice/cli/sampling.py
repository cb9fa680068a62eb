"""Which events of a second are shown when there are more than can be read. Decisions only: no clock, no output.

    a second that began quietly      events are shown at once, until there would be more of them than the rate; those
                                     from then on wait for the end of the second, when a fair sample of them is shown
    one behind a second that had     all of its events wait for its end, when a fair sample of all of them is shown
    more than the rate

Every event that waited has the same chance.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Generic, TypeAlias, TypeVar

__all__ = ["Batch", "Sampler", "Second"]

_Request = TypeVar("_Request")

# Requests, each with the positions of some of its events.
Batch: TypeAlias = list[tuple[_Request, Sequence[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Second(Generic[_Request]):
    """A second that has ended.

    Attributes:
        chosen: what is to be shown of what waited, in the order in which it came.
        shown: how many events of the second are shown in all.
        came: how many there were.
    """

    chosen: Batch[_Request]
    shown: int
    came: int


@dataclass(slots=True)
class Sampler(Generic[_Request]):
    """Thins out what comes faster than it can be read.

    Attributes:
        rate: how many events of a second are shown.
    """

    rate: int
    _second: int = -1
    _came: int = 0
    _shown: int = 0
    _is_thinning: bool = False
    _waiting: Batch[_Request] = field(default_factory=list)

    def end_second(self, now_s: float) -> Second[_Request] | None:
        """What became of the second that was going on, if it has ended; call it before `offer`.

        Args:
            now_s: seconds on a clock that never runs backwards.
        """
        if int(now_s) == self._second:
            return None
        chosen = _sample(self._waiting, self.rate - self._shown)
        ended = Second(chosen=chosen, shown=self._shown + _count(chosen), came=self._came)
        self._is_thinning = self._came > self.rate
        self._second, self._came, self._shown, self._waiting = int(now_s), 0, 0, []
        return ended

    def offer(self, batch: Batch[_Request]) -> Batch[_Request]:
        """Take events that came in this second; return those that are to be shown at once: all of them, or none."""
        count = _count(batch)
        self._came += count
        if self._came > self.rate:
            self._is_thinning = True
        if self._is_thinning:
            self._waiting += batch
            return []
        self._shown += count
        return batch


def _count(batch: Batch[_Request]) -> int:
    return sum(len(positions) for _, positions in batch)


def _sample(batch: Batch[_Request], size: int) -> Batch[_Request]:
    ends = list(accumulate(len(positions) for _, positions in batch))
    count = ends[-1] if ends else 0
    if count <= size:
        return batch
    chosen: dict[int, list[int]] = {}
    for number in sorted(random.sample(range(count), size)):
        request = bisect_right(ends, number)
        begins = ends[request - 1] if request else 0
        chosen.setdefault(request, []).append(batch[request][1][number - begins])
    return [(batch[request][0], positions) for request, positions in chosen.items()]
