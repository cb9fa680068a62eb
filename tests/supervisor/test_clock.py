"""A clock that is set is told once per step; one that runs, is slewed, or was slept through is not."""

import pytest
import structlog

from sluice.supervisor.clock import ClockWatch


class _Machine:
    """Two clocks, in seconds."""

    def __init__(self) -> None:
        self.wall = 1_767_225_600.0
        self.steady = 500.0
        self.watch = ClockWatch(lambda: self.wall, lambda: self.steady)
        self.watch.look()

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def told(self, *steps: float, every_s: float = 1.0) -> list[tuple[float, int]]:
        """What is told when the clock is set by these, one after the other."""
        with structlog.testing.capture_logs() as messages:
            for step in steps:
                self.wall += step
                self.run(every_s)
                self.watch.look()
        return [(message["seconds"], message["steps"]) for message in messages]


@pytest.mark.parametrize("seconds", [-86_400.0, -7200.0, -1.5, 1.5, 7200.0, 86_400.0])
def test_a_step_is_told_once_with_its_seconds(seconds: float) -> None:
    assert _Machine().told(seconds, 0, 0, every_s=20) == [(seconds, 1)]


def test_a_clock_that_runs_or_is_slewed_is_not_told() -> None:
    assert _Machine().told(0, 0.0005, -0.3, 0.9, 0, every_s=10) == []


def test_a_clock_that_is_set_again_and_again_is_told_five_times_a_minute_with_the_sum() -> None:
    assert _Machine().told(*[-2.0] * 61) == [*[(-2.0, 1)] * 5, (-112.0, 56)]


def test_a_look_that_was_interrupted_tells_nothing() -> None:
    machine = _Machine()
    steady = iter([600.0, 605.0, 606.0, 606.0])
    watch = ClockWatch(lambda: machine.wall, lambda: next(steady))

    with structlog.testing.capture_logs() as messages:
        watch.look()
        watch.look()

    assert messages == []
