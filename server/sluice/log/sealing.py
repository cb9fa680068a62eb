"""When the open segment is sealed. Decisions only; group_commit.py asks, segment_writer.py seals.

A segment begins with its first record, so idle time makes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Run", "SealLimits", "SealReason", "due"]


class SealReason(Enum):
    """Why a segment is sealed; the values are metric labels."""

    SIZE = "size"
    AGE = "age"
    HOUR = "hour"
    CLOCK = "clock"
    ASKED = "asked"
    CLOSING = "closing"
    FAILURE = "failure"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Records that may share a segment: of one receive hour, in times that don't run backwards.

    Attributes:
        number: tells runs apart; a later one has a greater number.
        hour: the receive hour, `YYYYMMDDTHH` in UTC.
    """

    number: int
    hour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealLimits:
    """Bounds of an open segment.

    Attributes:
        age_s: seconds after its first record.
        size_bytes: it is sealed when it has them, so it is larger by less than one record.
    """

    age_s: float
    size_bytes: int


def due(limits: SealLimits, *, age_s: float, size_bytes: int, run: Run, now: Run) -> SealReason | None:
    """Why a segment of this age, size and run is to be sealed now; None where it may go on.

    Args:
        limits: its bounds.
        age_s: seconds since it was begun.
        size_bytes: what it holds.
        run: that of its records.
        now: that of the next record, or what a record would have if it came now.
    """
    if now.hour != run.hour:
        return SealReason.HOUR
    if now.number != run.number:
        return SealReason.CLOCK
    if size_bytes >= limits.size_bytes:
        return SealReason.SIZE
    if age_s >= limits.age_s:
        return SealReason.AGE
    return None
