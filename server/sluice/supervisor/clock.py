"""Whether somebody sets the clock while the service runs: told once per step, and nothing is refused for it.

Records are dated by the clock. One that is set back begins new segments, and a time may then come twice in the lake.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.supervisor import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ClockWatch"]

# NTP's daemons slew what is less, or step it without anybody noticing.
_LEAST_STEP_S = 1.0
# A look that was interrupted for longer tells nothing.
_LONGEST_LOOK_S = 0.1
# A clock that is set again and again fills no disk with messages.
_MOST_TOLD, _WITHIN_S = 5, 60.0

_messages = telemetry.messages_of("supervisor")


def _since_boot() -> float:
    # Unlike the monotonic clock it goes on while the machine sleeps, which is no step.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockWatch:
    """Compares the clock that people set with one that nobody can set.

    Args:
        clock: seconds since the epoch.
        steady: seconds on a clock that never steps.
    """

    def __init__(self, clock: Callable[[], float] = time.time, steady: Callable[[], float] = _since_boot) -> None:
        self._clock = clock
        self._steady = steady
        self._offset_s: float | None = None
        self._untold: list[float] = []
        self._told_at: deque[float] = deque(maxlen=_MOST_TOLD)

    def look(self) -> None:
        """Tell if the clock was set since the last look, or lately and that was not told yet."""
        before = self._steady()
        wall = self._clock()
        now = self._steady()
        if now - before > _LONGEST_LOOK_S:
            return
        offset_s, self._offset_s = self._offset_s, wall - now
        step_s = 0.0 if offset_s is None else self._offset_s - offset_s
        if abs(step_s) >= _LEAST_STEP_S:
            metrics.CLOCK_STEPS.labels("forward" if step_s > 0 else "back").inc()
            self._untold.append(step_s)
        told_enough = len(self._told_at) == _MOST_TOLD and now - self._told_at[0] < _WITHIN_S
        if self._untold and not told_enough:
            _messages.warning(
                "the clock was set; nothing is refused", seconds=round(sum(self._untold), 3), steps=len(self._untold)
            )
            self._told_at.append(now)
            self._untold = []
