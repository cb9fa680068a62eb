from hypothesis import given
from hypothesis import strategies as st

from sluice.log.arrival import ArrivalTimes
from sluice.log.segment import hour_of
from tests.support.log_records import HOUR_US, Clock

_NOON_US = 1_767_268_800_000_000


@given(st.lists(st.integers(-2 * HOUR_US, 2 * HOUR_US), max_size=30))
def test_times_of_a_run_never_run_backwards_and_are_of_its_hour(steps: list[int]) -> None:
    clock = Clock(_NOON_US)
    arrivals = ArrivalTimes(clock)
    by_run: dict[int, list[int]] = {}
    for step in steps:
        clock.us += step
        time_us, run = arrivals.next()
        by_run.setdefault(run.number, []).append(time_us)
        assert hour_of(time_us) == run.hour

    assert all(times == sorted(times) for times in by_run.values())


def test_a_small_step_back_is_held() -> None:
    clock = Clock(_NOON_US)
    arrivals = ArrivalTimes(clock)
    first = arrivals.next()

    clock.us -= 500_000

    assert arrivals.next() == first


def test_a_large_step_back_begins_a_run_with_the_true_time() -> None:
    clock = Clock(_NOON_US)
    arrivals = ArrivalTimes(clock)
    _, first = arrivals.next()

    clock.us -= 60_000_000
    time_us, run = arrivals.next()

    assert time_us == clock.us
    assert run.number > first.number


def test_an_hour_begins_a_run() -> None:
    clock = Clock(_NOON_US + HOUR_US - 1)
    arrivals = ArrivalTimes(clock)
    _, before = arrivals.next()
    assert arrivals.seconds_to_next_hour() == 1e-6

    clock.us += 1
    _, after = arrivals.next()

    assert (before.hour, after.hour) == ("20260101T12", "20260101T13")
    assert after.number > before.number
    assert arrivals.seconds_to_next_hour() == 3600
