from sluice.lake.plan import MAX_SEGMENTS, Suspects, next_file
from sluice.log.ports import Sealed
from tests.support.lake_log import HOUR, NOW, uuid7

_NEXT_HOUR = "20260131T08"


def _sealed(number: int, *, hour: str = HOUR, age_s: float = 1, size_bytes: int = 100) -> Sealed:
    return Sealed(hour=hour, id=f"{hour}-n1-{uuid7(NOW - age_s, number)}", records=1, size_bytes=size_bytes)


def _chosen(
    *waiting: Sealed, at_once: bool = False, now: float = NOW, suspects: Suspects | None = None
) -> list[Sealed]:
    return next_file(
        sorted(waiting), now=now, size_bytes=1000, age_s=60, at_once=at_once, suspects=suspects or Suspects()
    )


def test_nothing_is_due_before_size_or_age() -> None:
    assert _chosen(_sealed(1), _sealed(2)) == []


def test_an_hour_is_due_when_enough_of_it_waits() -> None:
    waiting = [_sealed(number, size_bytes=400) for number in range(3)]

    assert _chosen(*waiting) == sorted(waiting)[:2]


def test_an_hour_is_due_when_its_oldest_is_old_enough() -> None:
    old, young = _sealed(1, age_s=60), _sealed(2)

    assert _chosen(old, young) == [old, young]


def test_an_hour_that_is_over_is_due() -> None:
    segment = _sealed(1)

    assert _chosen(segment, now=NOW + 1800) == [segment]


def test_a_segment_from_the_future_is_due() -> None:
    segment = _sealed(1, age_s=-5)

    assert _chosen(segment) == [segment]


def test_everything_is_due_when_asked() -> None:
    segment = _sealed(1)

    assert _chosen(segment, at_once=True) == [segment]


def test_a_file_holds_segments_of_one_hour_and_the_oldest_come_first() -> None:
    later, earlier = _sealed(1, hour=_NEXT_HOUR), _sealed(2)

    assert _chosen(later, earlier, at_once=True) == [earlier]


def test_an_hour_that_is_not_due_holds_up_no_other() -> None:
    young, old = _sealed(1), _sealed(2, hour=_NEXT_HOUR, age_s=60)

    assert _chosen(young, old) == [old]


def test_a_segment_larger_than_a_file_makes_one_by_itself() -> None:
    large, small = _sealed(1, size_bytes=5000), _sealed(2)

    assert _chosen(large, small) == [large]


def test_a_file_holds_a_bounded_number_of_segments() -> None:
    waiting = [_sealed(number, size_bytes=0) for number in range(MAX_SEGMENTS + 5)]

    assert len(_chosen(*waiting, at_once=True)) == MAX_SEGMENTS


def test_a_suspect_is_not_mixed_with_others() -> None:
    one, two, three = (_sealed(number) for number in range(3))
    suspects = Suspects(alone=frozenset({two.id}))

    assert _chosen(one, two, three, at_once=True, suspects=suspects) == [one]
    assert _chosen(two, three, at_once=True, suspects=suspects) == [two]


def test_one_that_goes_last_waits_until_nothing_else_is_due() -> None:
    one, two = _sealed(1), _sealed(2, hour=_NEXT_HOUR)
    suspects = Suspects(last=(one.id,))

    assert _chosen(one, two, at_once=True, suspects=suspects) == [two]
    assert _chosen(one, at_once=True, suspects=suspects) == [one]


def test_of_those_that_come_last_the_one_that_was_named_first_comes_first() -> None:
    older, newer = _sealed(1), _sealed(2)

    assert _chosen(older, newer, at_once=True, suspects=Suspects(last=(newer.id, older.id))) == [newer]
