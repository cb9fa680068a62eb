"""Lets other processes go first where there are too few processors: callers wait for the doors, and nobody for this.

A process that is nice still gets a part: the lake writer falls behind, it does not stand still. What it is behind is
bounded by the log's budget.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["NICENESS", "be_nice"]

# The lake writer's. A judgement between doors whose slowest answers get slower and a lake that gets too little:
# bench/fairness.py shows both at part load, and scatters at full load.
NICENESS = 5


def be_nice(by: int = NICENESS) -> None:
    """Step back by so much, and all threads that are started later."""
    niceness = os.nice(by)
    # Where sessions are groups to the scheduler, that is niceness within the group alone, and each child of the
    # supervisor has a session. Source: sched(7), "The autogroup feature"; it is absent in control groups.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
