import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from sluice.log import ids
from sluice.log.ids import new_request_id, request_id_text


def test_an_id_is_a_uuid_of_version_7_that_says_when_it_was_made() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = uuid.UUID(bytes=new_request_id())

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before_ms <= made.int >> 80 <= before_ms + 10_000


def test_ids_are_greater_than_all_before_them() -> None:
    made = [new_request_id() for _ in range(10_000)]

    assert made == sorted(set(made))


def test_ids_grow_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_request_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)

    assert [before, *sorted(made := [new_request_id() for _ in range(100)])] == [before, *made]
    assert before < made[0]


def test_a_segments_id_follows_a_clock_that_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = time.time_ns() // 1_000_000
    before = ids.new_segment_uuid()
    monkeypatch.setattr(time, "time_ns", lambda: (now_ms - 7_200_000) * 1_000_000)
    after = [ids.new_segment_uuid() for _ in range(100)]

    assert before.int >> 80 >= now_ms
    assert {made.int >> 80 for made in after} == {now_ms - 7_200_000}
    assert after == sorted(set(after))


def test_segments_ids_grow_while_a_corrected_clock_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.new_segment_uuid()
    monkeypatch.setattr(time, "time_ns", lambda: ((before.int >> 80) - 900) * 1_000_000)

    assert before < ids.new_segment_uuid()


def test_ids_grow_when_the_random_part_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = ids._Sequence()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    first = sequence.next()
    sequence._random = ids._LIMIT - 1

    assert sequence.next()[0] == first[0] + 1


def test_ids_of_several_threads_never_meet() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: new_request_id(), range(4000)))

    assert len(set(made)) == 4000


def test_the_text_of_an_id_is_that_of_its_uuid() -> None:
    request_id = new_request_id()

    assert request_id_text(request_id) == str(uuid.UUID(bytes=request_id))
