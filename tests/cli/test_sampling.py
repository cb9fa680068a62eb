"""Of more events than a rate, a fair sample of each second is shown; of fewer, all, and at once."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.sampling import Batch, Sampler


def _batch(*sizes: int) -> Batch[str]:
    return [(chr(ord("a") + number), range(size)) for number, size in enumerate(sizes)]


def _events(batch: Batch[str]) -> list[tuple[str, int]]:
    return [(request, position) for request, positions in batch for position in positions]


def _sampler(rate: int) -> Sampler[str]:
    sampler: Sampler[str] = Sampler(rate)
    sampler.end_second(0.0)
    return sampler


def test_what_can_be_read_is_shown_at_once() -> None:
    sampler = _sampler(5)

    assert _events(sampler.offer(_batch(2, 1))) == [("a", 0), ("a", 1), ("b", 0)]
    assert _events(sampler.offer(_batch(2))) == [("a", 0), ("a", 1)]
    ended = sampler.end_second(1.0)

    assert ended is not None
    assert (ended.chosen, ended.shown, ended.came) == ([], 5, 5)


def test_a_second_ends_once() -> None:
    sampler = _sampler(5)

    assert sampler.end_second(0.9) is None
    assert sampler.end_second(1.1) is not None
    assert sampler.end_second(1.9) is None


def test_what_exceeds_the_rate_waits_for_the_end_of_its_second() -> None:
    sampler = _sampler(5)
    assert len(_events(sampler.offer(_batch(3)))) == 3

    assert sampler.offer(_batch(3)) == []
    assert sampler.offer(_batch(1)) == []
    ended = sampler.end_second(1.0)

    assert ended is not None
    assert len(_events(ended.chosen)) == 2
    assert (ended.shown, ended.came) == (5, 7)


def test_a_second_behind_a_full_one_waits_as_a_whole_and_is_shown_whole_if_it_can_be_read() -> None:
    sampler = _sampler(5)
    sampler.offer(_batch(9))
    sampler.end_second(1.0)

    assert sampler.offer(_batch(2, 2)) == []
    ended = sampler.end_second(2.0)

    assert ended is not None
    assert ended.chosen == _batch(2, 2)
    assert (ended.shown, ended.came) == (4, 4)
    assert _events(sampler.offer(_batch(1))) == [("a", 0)]


@given(st.integers(1, 30), st.lists(st.lists(st.integers(0, 20), max_size=5), max_size=6))
def test_a_second_shows_as_many_as_the_rate_or_all_in_their_order(rate: int, offers: list[list[int]]) -> None:
    sampler = _sampler(rate)
    came: list[tuple[str, int]] = []
    shown: list[tuple[str, int]] = []
    for number, sizes in enumerate(offers):
        batch: Batch[str] = [(f"{number}{request}", positions) for request, positions in _batch(*sizes)]
        came += _events(batch)
        shown += _events(sampler.offer(batch))
    ended = sampler.end_second(1.0)

    assert ended is not None
    shown += _events(ended.chosen)
    assert len(shown) == ended.shown == min(rate, len(came))
    assert ended.came == len(came)
    positions = [came.index(event) for event in shown]
    assert positions == sorted(set(positions))


@pytest.mark.parametrize("sizes", [(10, 10, 10), (28, 1, 1)])
def test_every_event_that_waits_has_the_same_chance(sizes: Sequence[int]) -> None:
    times: Counter[tuple[str, int]] = Counter()
    for _ in range(2_000):
        sampler = _sampler(3)
        sampler.offer(_batch(*sizes))
        ended = sampler.end_second(1.0)
        assert ended is not None
        times.update(_events(ended.chosen))

    # 200 each on average, with a deviation of 13.
    assert len(times) == 30
    assert 120 < min(times.values()) <= max(times.values()) < 280
