"""Streams become one in the order of their times, and are begun only when theirs has come."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from sluice.log.in_time import in_time

streams = st.lists(st.lists(st.integers(0, 50)).map(sorted), max_size=6)


@given(streams)
def test_all_things_come_in_the_order_of_their_times(times: list[list[int]]) -> None:
    merged = list(in_time([(each[0] if each else 0, iter([(time, time) for time in each])) for each in times]))

    assert merged == sorted(time for each in times for time in each)


def test_a_stream_is_begun_only_when_its_time_has_come() -> None:
    begun: list[str] = []

    def stream(name: str, times: list[int]) -> Iterator[tuple[int, str]]:
        begun.append(name)
        for time in times:
            yield time, f"{name}{time}"

    merged = in_time([(10, stream("late", [10, 11])), (1, stream("early", [1, 5, 12]))])

    assert [next(merged), next(merged)] == ["early1", "early5"]
    assert begun == ["early"]
    assert list(merged) == ["late10", "late11", "early12"]
