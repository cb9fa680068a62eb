"""A request is found in the log wherever it is, with its place and what is wrong with it."""

from pathlib import Path

import pytest

from sluice import disk
from sluice.log.ids import new_request_id
from sluice.log.locate import LocatedRecord, locate_record
from sluice.log.ports import Damage, DamageReason
from sluice.log.reader import LocalSegments
from sluice.log.segment import State
from tests.support.log_records import Recorder, appender, entry, frame_of, open_segment, sealed_segment

_ID = new_request_id()
_MINE = frame_of(b"mine", request_id=_ID)
_OTHER = frame_of(b"other")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def _where(found: LocatedRecord) -> tuple[State, str, int, int]:
    return found.file.state, found.file.id, found.offset, found.size_bytes


def _body(found: LocatedRecord) -> bytes:
    assert found.record is not None
    return found.record.body


def test_a_folder_without_a_log_has_no_request(log: Path) -> None:
    assert locate_record(log, _ID) == []
    assert not log.exists()


async def test_a_request_is_found_in_each_state_with_its_place(log: Path) -> None:
    archived = sealed_segment(log, _MINE, records=1)
    LocalSegments(log, archive=True).done([archived])
    sealed = sealed_segment(log, _OTHER + _MINE, records=2)
    sealed_segment(log, _OTHER, records=1)
    dead = open_segment(log, _OTHER + _OTHER + _MINE + b"torn")
    writer = appender(log)
    await writer.start()
    await writer.append(entry(b"mine", request_id=_ID))

    found = locate_record(log, _ID)

    assert [(*_where(each)[:2], each.offset, each.reason) for each in found[:2]] == [
        (State.ARCHIVED, archived.id, 0, None),
        (State.SEALED, sealed.id, len(_OTHER), None),
    ]
    assert {(each.file.id == dead, each.offset, each.file.locked) for each in found[2:]} == {
        (True, 2 * len(_OTHER), False),
        (False, 0, True),
    }
    assert [(_body(each), each.size_bytes) for each in found] == [(b"mine", len(_MINE))] * 3 + [
        (b"mine", found[3].size_bytes)
    ]
    await writer.close()


def test_only_segments_of_the_named_hours_are_looked_at(log: Path) -> None:
    sealed_segment(log, _MINE, records=1)

    assert locate_record(log, _ID, hours={"20260101T01"}) == []
    assert len(locate_record(log, _ID, hours={"20260101T00"})) == 1


def test_an_event_that_quotes_the_id_is_not_the_request(log: Path) -> None:
    quoting = frame_of(b"see \x0a\x10" + _ID + b", or the whole of it: " + _MINE)
    segment = sealed_segment(log, quoting + _MINE, records=2)

    assert [_where(each) for each in locate_record(log, _ID)] == [
        (State.SEALED, segment.id, len(quoting), len(_MINE)),
    ]


def test_a_request_across_the_border_of_what_is_read_at_once_is_found(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.log.locate._CHUNK_BYTES", 64)
    for padding in range(70):
        before = frame_of(b"x" * padding)
        segment = sealed_segment(log, before + _MINE, records=2)

        assert [each.offset for each in locate_record(log, _ID)] == [len(before)]

        LocalSegments(log).done([segment])


def test_a_record_behind_damage_is_found(log: Path) -> None:
    broken = b"\xff" + _OTHER[1:]
    sealed_segment(log, broken + _MINE, records=2)

    assert [(each.offset, _body(each)) for each in locate_record(log, _ID)] == [(len(broken), b"mine")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"\xff" + _MINE[1:], DamageReason.BROKEN_LENGTH, id="broken length"),
        pytest.param(_MINE[:-1] + bytes([_MINE[-1] ^ 1]), DamageReason.BROKEN_PAYLOAD, id="broken payload"),
        pytest.param(_MINE[:-3], DamageReason.BROKEN_PAYLOAD, id="its end is missing"),
    ],
)
def test_a_damaged_record_is_found_by_its_id_and_says_what_is_wrong(
    log: Path, content: bytes, reason: DamageReason
) -> None:
    sealed_segment(log, _OTHER + content, records=2, size_bytes=len(_OTHER + _MINE))

    [found] = locate_record(log, _ID)

    assert (found.offset, found.record, found.reason) == (len(_OTHER), None, reason)
    assert found.detail


def test_what_was_set_aside_is_found_with_the_words_of_its_report(log: Path) -> None:
    segment = sealed_segment(log, _OTHER + _MINE, records=2)
    damage = Damage(offset=len(_OTHER), data=_MINE, reason=DamageReason.UNDECODABLE_BODY, detail="no JSON")
    LocalSegments(log).set_aside(segment, [damage])
    LocalSegments(log).done([segment])

    [found] = locate_record(log, _ID)

    assert _where(found) == (State.DAMAGED, segment.id, len(_OTHER), len(_MINE))
    assert (found.reason, found.detail, _body(found)) == (DamageReason.UNDECODABLE_BODY, "no JSON", b"mine")


def test_a_segment_set_aside_whole_is_searched_and_needs_no_report(log: Path) -> None:
    segment = sealed_segment(log, _OTHER + _MINE, records=2)
    LocalSegments(log).set_aside_whole(segment, DamageReason.KILLS_THE_WRITER, "died three times")

    [found] = locate_record(log, _ID)
    assert (found.offset, found.reason, found.detail) == (
        len(_OTHER),
        DamageReason.KILLS_THE_WRITER,
        "died three times",
    )

    found.file.path.with_name(f"{found.file.path.name}.json").unlink()
    assert [each.detail for each in locate_record(log, _ID)] == [""]


def test_a_segment_that_is_sealed_after_the_folder_was_listed_is_searched(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment_id = open_segment(log, _MINE)
    (log / "sealed").mkdir()
    open_read = disk.open_read

    def sealed_meanwhile(path: Path) -> disk.File:
        if path.parent.name == "open":
            path.rename(log / "sealed" / f"{segment_id}.1.{len(_MINE)}")
        return open_read(path)

    monkeypatch.setattr(disk, "open_read", sealed_meanwhile)
    [found] = locate_record(log, _ID)
    assert _where(found)[:2] == (State.SEALED, segment_id)
    assert found.file.path.exists()


def test_looking_changes_nothing(log: Path) -> None:
    sealed_segment(log, _MINE, records=1)
    recorder = Recorder()

    with disk.observed(recorder):
        locate_record(log, _ID)

    assert recorder.begun == []
