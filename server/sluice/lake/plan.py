"""Which segments make the next file: a pure decision.

A file holds segments of one hour, oldest first, up to a size. Hours are looked at from the oldest; the first that is
due gives the next file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from sluice.log.segment import begun_at, hour_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.log.ports import Sealed

__all__ = ["MAX_SEGMENTS", "Suspects", "next_file"]

# Bounds a file's metadata and what one failure costs. Segments are sealed every few seconds by each worker at most.
MAX_SEGMENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Segments that are not mixed with others: should the writer die, it is known of which.

    Attributes:
        alone: those that a writer held when it died.
        last: those among which one let it be killed, or can't be read: taken when nothing else is due, in this order.
    """

    alone: frozenset[str] = field(default_factory=frozenset)
    last: tuple[str, ...] = ()


def next_file(
    waiting: Sequence[Sealed],
    *,
    now: float,
    size_bytes: int,
    age_s: float,
    at_once: bool,
    suspects: Suspects,
) -> list[Sealed]:
    """Choose the segments of the next file.

    Args:
        waiting: all sealed segments, oldest first.
        now: seconds since the epoch.
        size_bytes: an hour is due when this much of it waits, and a file takes no more, but for a single segment.
        age_s: an hour is due when its oldest waiting segment was opened this long ago.
        at_once: everything is due.
        suspects: segments that make a file by themselves.

    Returns:
        Segments of one hour, oldest first; empty when nothing is due.
    """
    last = frozenset(suspects.last)
    for hour, group in groupby((s for s in waiting if s.id not in last), key=lambda segment: segment.hour):
        segments = list(group)
        if at_once or _is_due(hour, segments, now, size_bytes, age_s):
            return _first_of(segments, size_bytes, suspects)
    suspected = {segment.id: segment for segment in waiting if segment.id in last}
    for segment in (suspected[id_] for id_ in suspects.last if id_ in suspected):
        if at_once or _is_due(segment.hour, [segment], now, size_bytes, age_s):
            return [segment]
    return []


def _is_due(hour: str, segments: Sequence[Sealed], now: float, size_bytes: int, age_s: float) -> bool:
    if sum(segment.size_bytes for segment in segments) >= size_bytes:
        return True
    if hour != hour_of(int(now * 1_000_000)):
        return True
    # A segment from the future tells that the clock was set back: its age says nothing.
    return any(not 0 <= now - begun_at(segment.id) < age_s for segment in segments)


def _first_of(segments: Sequence[Sealed], size_bytes: int, suspects: Suspects) -> list[Sealed]:
    chosen: list[Sealed] = []
    total = 0
    for segment in segments[:MAX_SEGMENTS]:
        total += segment.size_bytes
        if chosen and (total > size_bytes or segment.id in suspects.alone):
            break
        chosen.append(segment)
        if segment.id in suspects.alone:
            break
    return chosen
