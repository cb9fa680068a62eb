"""When a record was handed over: `received_at_us`, which never runs backwards within a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.log.sealing import Run
from sluice.log.segment import hour_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ArrivalTimes"]

# A clock that is being corrected steps back by less; its times are held for as long. One that steps back by more was
# wrong: a new segment begins, since times held for minutes would be wrong too.
_HELD_STEP_US = 1_000_000

_US_PER_HOUR = 3_600_000_000


class ArrivalTimes:
    """Turns a clock that may step back into times for records.

    Args:
        clock: nanoseconds since the epoch, as time.time_ns.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._last_us = clock() // 1000
        self._run = Run(number=0, hour=hour_of(self._last_us))
        self._hour_begins_us = self._last_us // _US_PER_HOUR * _US_PER_HOUR

    def next(self) -> tuple[int, Run]:
        """The time of a record that is handed over now, in microseconds since the epoch, and its run."""
        now_us = self._clock() // 1000
        if self._last_us - _HELD_STEP_US < now_us < self._last_us:
            now_us = self._last_us
        hour_passed = not 0 <= now_us - self._hour_begins_us < _US_PER_HOUR
        if hour_passed or now_us < self._last_us:
            self._run = Run(number=self._run.number + 1, hour=hour_of(now_us))
            self._hour_begins_us = now_us // _US_PER_HOUR * _US_PER_HOUR
        self._last_us = now_us
        return now_us, self._run

    def seconds_to_next_hour(self) -> float:
        """How long the hour of the latest time goes on, at most."""
        return max(0.0, (self._hour_begins_us + _US_PER_HOUR - self._clock() // 1000) / 1_000_000)
