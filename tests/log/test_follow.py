"""A log is followed while it is written, sealed and published: each record once, in the order of receipt."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice import disk
from sluice.log.follow import Followed, Follower, Look, Missed, Spoiled
from sluice.log.growing import PassedOver
from sluice.log.reader import LocalSegments
from sluice.log.segment import new_segment_id, sealed_name
from tests.support.log_records import Recorder, appender, entry, frame_of, open_segment, sealed_segment

# Behind the times in the ids of segments that tests make now.
_LATER_US = 4_000_000_000_000_000


def _frame(body: bytes, us: int) -> bytes:
    return frame_of(body, received_at_us=_LATER_US + us)


_ONE, _TWO, _THREE = _frame(b"one", 1), _frame(b"two", 2), _frame(b"three", 3)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for name in ("open", "sealed"):
        (tmp_path / "log" / name).mkdir(parents=True)
    return tmp_path / "log"


def _follower(log: Path) -> Follower:
    follower = Follower(log)
    follower.begin()
    return follower


def _bodies(look: Look) -> list[bytes]:
    return [followed.record.body for followed in look.records]


def _past(follower: Follower, *, since_us: int = 0) -> list[bytes]:
    return [found.record.body for found in follower.past(since_us=since_us) if isinstance(found, Followed)]


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _seal(log: Path, segment_id: str, *, records: int) -> Path:
    path = log / "open" / segment_id
    target = log / "sealed" / f"{segment_id}.{records}.{path.stat().st_size}"
    path.rename(target)
    return target


async def test_what_a_writer_appends_is_seen_with_its_place(log: Path) -> None:
    writer = appender(log)
    await writer.start()
    follower = _follower(log)
    for body in (b"one", b"two"):
        await writer.append(entry(body))

    look = follower.look()

    [segment] = disk.entries(log / "open")
    size = (log / "open" / segment).stat().st_size
    assert [(found.record.body, found.segment, found.offset) for found in look.records] == [
        (b"one", segment, 0),
        (b"two", segment, size // 2),
    ]
    assert follower.look() == Look(records=[], spoiled=[], passed_over=PassedOver())
    await writer.close()


async def test_a_segment_is_followed_through_its_sealing_and_its_removal(log: Path) -> None:
    writer = appender(log)
    await writer.start()
    follower = _follower(log)
    await writer.append(entry(b"one"))
    assert _bodies(follower.look()) == [b"one"]
    await writer.append(entry(b"two"))
    await writer.seal()
    segments = LocalSegments(log)
    segments.done(segments.waiting())
    await writer.append(entry(b"three"))

    assert _bodies(follower.look()) == [b"two", b"three"]
    assert list(follower._held) == disk.entries(log / "open")
    await writer.close()


def test_what_is_there_at_the_beginning_is_past_and_comes_only_when_asked(log: Path) -> None:
    segment = open_segment(log, _ONE)
    sealed_segment(log, _TWO, records=1)

    passed, asked = _follower(log), _follower(log)
    _append(log / "open" / segment, _THREE)

    assert _bodies(passed.look()) == [b"three"]
    assert _past(asked) == [b"one", b"two"]
    assert _bodies(asked.look()) == [b"three"]


def test_a_record_half_written_at_the_beginning_is_not_past(log: Path) -> None:
    segment = open_segment(log, _ONE + _TWO[:20])
    follower = _follower(log)

    assert _bodies(follower.look()) == []
    _append(log / "open" / segment, _TWO[20:])
    assert _bodies(follower.look()) == [b"two"]


def test_the_past_of_several_writers_comes_in_the_order_of_receipt(log: Path) -> None:
    open_segment(log, _ONE + _THREE)
    sealed_segment(log, _TWO, records=1)

    assert _past(_follower(log)) == [b"one", b"two", b"three"]


def test_the_past_begins_when_it_is_asked_to(log: Path) -> None:
    open_segment(log, _ONE + _THREE)
    old = sealed_segment(log, _TWO, records=1)
    os.utime(log / "sealed" / sealed_name(old), ns=(0, (_LATER_US + 1) * 1_000))

    assert _past(_follower(log), since_us=_LATER_US + 2) == [b"three"]
    assert _past(_follower(log), since_us=_LATER_US + 1) == [b"one", b"two", b"three"]


def test_what_is_removed_before_its_past_was_read_is_told(log: Path) -> None:
    sealed = sealed_segment(log, _TWO, records=1)
    open_segment(log, _ONE)
    follower = _follower(log)
    LocalSegments(log).done([sealed])

    found = list(follower.past())

    assert Missed(segment=sealed) in found
    assert [each.record.body for each in found if isinstance(each, Followed)] == [b"one"]


def test_a_tail_that_is_cut_off_while_the_past_is_read_is_not_waited_for(log: Path) -> None:
    segment = open_segment(log, _ONE + _TWO[:-1])
    follower = _follower(log)
    os.truncate(log / "open" / segment, len(_ONE))

    assert _past(follower) == [b"one"]
    os.truncate(log / "open" / segment, 0)
    follower = _follower(log)
    _append(log / "open" / segment, _THREE)
    assert _bodies(follower.look()) == [b"three"]


def test_an_open_segment_that_is_sealed_and_removed_while_the_past_is_read_is_read_whole(log: Path) -> None:
    segment = open_segment(log, _ONE)
    follower = _follower(log)
    _append(log / "open" / segment, _TWO)
    _seal(log, segment, records=2).unlink()

    assert _past(follower) == [b"one"]
    assert _bodies(follower.look()) == [b"two"]
    assert follower._held == {}


def test_a_segment_that_was_sealed_between_two_looks_is_read_where_it_is(log: Path) -> None:
    follower = _follower(log)
    sealed = sealed_segment(log, _ONE + _TWO, records=2)

    assert _bodies(follower.look()) == [b"one", b"two"]
    assert follower.knows(sealed.id)
    assert _bodies(follower.look()) == []


def test_records_of_one_look_come_in_the_order_of_receipt(log: Path) -> None:
    follower = _follower(log)
    open_segment(log, _TWO)
    open_segment(log, _ONE + _THREE)

    assert _bodies(follower.look()) == [b"one", b"two", b"three"]


def test_a_segment_that_came_and_went_is_not_known(log: Path) -> None:
    follower = _follower(log)
    LocalSegments(log).done([gone := sealed_segment(log, _ONE, records=1)])
    follower.look()

    assert not follower.knows(gone.id)


def test_damage_is_told_and_the_rest_goes_on(log: Path) -> None:
    follower = _follower(log)
    segment = open_segment(log, b"\xff" + _ONE[1:] + _TWO)

    look = follower.look()

    assert _bodies(look) == [b"two"]
    [spoiled] = look.spoiled
    assert (spoiled.segment, spoiled.damage.offset) == (segment, 0)
    sealed_segment(log, b"\xff" + _ONE[1:] + _TWO, records=2)
    assert [isinstance(each, Spoiled) for each in _follower(log).past()] == [True, True, False, False]


def test_whoever_falls_behind_goes_on_with_the_newest_and_is_told_how_much_was_passed_over(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.log.follow.MAX_BEHIND_BYTES", 8_000)
    follower = _follower(log)
    frames = [_frame(b"%03d" % number, number) for number in range(200)]
    open_segment(log, b"".join(frames))

    look = follower.look()

    shown = _bodies(look)
    assert shown
    assert sum(map(len, frames[-len(shown) :])) <= 2_000
    assert shown == [b"%03d" % number for number in range(200)][-len(shown) :]
    assert look.passed_over == PassedOver(
        records=200 - len(shown), bytes=sum(map(len, frames)) - sum(map(len, frames[-len(shown) :]))
    )
    assert follower.look().passed_over == PassedOver()


def test_a_backlog_that_appears_at_once_takes_no_more_descriptors_than_there_are(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.log.follow._MAX_HELD", 2)
    follower = _follower(log)
    segments = [sealed_segment(log, _frame(b"%d" % number, number), records=1) for number in range(5)]

    look = follower.look()

    assert _bodies(look) == [b"3", b"4"]
    assert look.passed_over.records == 3
    assert all(follower.knows(segment.id) for segment in segments)


def test_a_large_load_is_read_in_several_looks_by_turns(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.log.follow._LOOK_BYTES", 400)
    monkeypatch.setattr("sluice.log.follow._LEAST_SHARE_BYTES", 200)
    follower = _follower(log)
    for writer in range(2):
        open_segment(log, b"".join(_frame(b"%d" % writer, number) for number in range(20)))

    looks = [_bodies(follower.look()) for _ in range(21)]

    assert set(looks[0]) == {b"0", b"1"}
    assert max(map(len, looks)) < 10
    assert sorted(body for look in looks for body in look) == [b"0"] * 20 + [b"1"] * 20


def test_a_sealed_segment_is_held_until_it_is_read_to_its_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.log.follow._LOOK_BYTES", 400)
    monkeypatch.setattr("sluice.log.follow._LEAST_SHARE_BYTES", 400)
    follower = _follower(log)
    sealed = sealed_segment(log, b"".join(_frame(b"%02d" % number, number) for number in range(20)), records=20)
    seen = _bodies(follower.look())
    LocalSegments(log).done([sealed])

    for _ in range(20):
        seen += _bodies(follower.look())

    assert seen == [b"%02d" % number for number in range(20)]
    assert follower._held == {}


async def test_following_changes_nothing_and_takes_no_lock(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = appender(log)
    await writer.start()
    await writer.append(entry())
    recorder = Recorder()
    monkeypatch.setattr(disk.File, "try_lock", None)

    with disk.observed(recorder):
        follower = _follower(log)
        assert len(_past(follower)) == 1
        follower.look()
        follower.close()

    assert recorder.begun == []
    monkeypatch.undo()
    await writer.close()


def test_a_folder_without_a_log_is_an_empty_one_and_may_get_one(tmp_path: Path) -> None:
    follower = _follower(tmp_path / "log")

    assert follower.goes_back_to is None
    assert _past(follower) == []
    assert _bodies(follower.look()) == []
    open_segment(tmp_path / "log", _ONE)
    assert _bodies(follower.look()) == [b"one"]
    assert not (tmp_path / "log" / "sealed").exists()


actions = st.lists(st.sampled_from(["append", "begin", "seal", "publish", "look"]), max_size=40)


@settings(deadline=None)
@given(actions)
def test_every_record_of_a_segment_that_was_seen_comes_once(
    tmp_path_factory: pytest.TempPathFactory, did: list[str]
) -> None:
    """Writers append, seal and publish as they please; a model knows which segments a look has met."""
    log = tmp_path_factory.mktemp("log")
    for name in ("open", "sealed"):
        (log / name).mkdir()
    follower = _follower(log)
    written: dict[str, list[bytes]] = {}
    where: dict[str, Path] = {}
    met: set[str] = set()
    seen: list[bytes] = []
    count = 0
    for action in [*did, "look"]:
        opened = [name for name, path in where.items() if path.parent.name == "open"]
        sealed = [name for name, path in where.items() if path.parent.name == "sealed"]
        if action == "begin":
            name = new_segment_id(hour="20260101T00", node="n1")
            written[name], where[name] = [], log / "open" / name
            where[name].touch()
        elif action == "append" and opened:
            count += 1
            name = opened[count % len(opened)]
            written[name].append(b"%d" % count)
            _append(where[name], _frame(b"%d" % count, count))
        elif action == "seal" and opened and written[opened[0]]:
            where[opened[0]] = _seal(log, opened[0], records=len(written[opened[0]]))
        elif action == "publish" and sealed:
            where.pop(sealed[0]).unlink()
        elif action == "look":
            met |= where.keys()
            seen += _bodies(follower.look())
    follower.close()

    assert sorted(seen) == sorted(body for name in met for body in written[name])
    assert {name for name in written if follower.knows(name)} == met
