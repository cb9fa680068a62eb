"""What a dead writer left is sealed, removed or left alone, as the head of recovery.py says."""

import contextlib
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from sluice import disk
from sluice.log.ports import DamageReason
from sluice.log.reader import LocalSegments
from sluice.log.recovery import RecoveryReport, recover
from sluice.log.segment import parse_sealed, probe_name
from tests.support.log_records import (
    Died,
    DiesBefore,
    Recorder,
    Refuses,
    appender,
    bodies_in,
    entry,
    frame_of,
    open_segment,
)

_WHOLE = frame_of(b"one") + frame_of(b"two")
_DAMAGED = b"\xff" + frame_of(b"lost")[1:]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def _content_of_sealed(log: Path) -> bytes:
    (path,) = (log / "sealed").iterdir()
    return path.read_bytes()


def test_a_folder_without_a_log_becomes_an_empty_one(log: Path) -> None:
    report = recover(log)

    assert report == RecoveryReport(sealed=(), cut_bytes=0, removed=(), set_aside=(), in_use=(), failed=(), foreign=())
    assert disk.entries(log) == ["damaged", "open", "sealed"]


def test_whole_records_are_sealed_as_they_are(log: Path) -> None:
    segment_id = open_segment(log, _WHOLE)

    report = recover(log)

    (sealed,) = report.sealed
    assert (sealed.id, sealed.records, sealed.size_bytes) == (segment_id, 2, len(_WHOLE))
    assert LocalSegments(log).waiting() == [sealed]
    assert _content_of_sealed(log) == _WHOLE
    assert disk.entries(log / "open") == []


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"\x01", id="one byte"),
        pytest.param(frame_of()[:11], id="a part of a header"),
        pytest.param(frame_of()[:12], id="a header alone"),
        pytest.param(frame_of()[:-1], id="all but the last byte"),
        pytest.param(bytes(4096), id="zeros"),
        pytest.param(frame_of()[:40] + bytes(5000), id="a part of a record, then zeros"),
    ],
)
def test_a_torn_tail_is_cut_and_told(log: Path, tail: bytes) -> None:
    open_segment(log, _WHOLE + tail)

    with structlog.testing.capture_logs() as messages:
        report = recover(log)

    assert report.cut_bytes == len(tail)
    assert report.sealed[0].records == 2
    assert _content_of_sealed(log) == _WHOLE
    assert [(m["log_level"], m["cut_bytes"]) for m in messages if m["event"] == "torn tail of a segment"] == [
        ("warning", len(tail))
    ]


def test_damage_amid_whole_records_stays_for_the_reader(log: Path) -> None:
    content = frame_of(b"one") + _DAMAGED + frame_of(b"two")
    open_segment(log, content)

    report = recover(log)

    assert report.sealed[0].records == 2
    assert _content_of_sealed(log) == content
    assert bodies_in(log) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("bad", "cut_bytes"),
    [
        pytest.param(_DAMAGED, 0, id="a broken length, behind which no other frame is found"),
        pytest.param(frame_of(b"lost")[:-1] + b"\0", 30, id="a broken payload"),
    ],
)
def test_a_damaged_record_at_the_end_may_have_been_acknowledged_and_stays_for_the_reader(
    log: Path, bad: bytes, cut_bytes: int
) -> None:
    content = _WHOLE + bad + frame_of()[:30]
    open_segment(log, content)

    report = recover(log)

    (sealed,) = report.sealed
    assert (sealed.records, report.cut_bytes) == (2, cut_bytes)
    assert _content_of_sealed(log) == content[: len(content) - cut_bytes]
    assert bodies_in(log) == [b"one", b"two"]


def test_a_segment_of_nothing_but_damage_is_kept(log: Path) -> None:
    open_segment(log, _DAMAGED)

    (sealed,) = recover(log).sealed

    assert (sealed.records, sealed.size_bytes) == (0, len(_DAMAGED))
    assert _content_of_sealed(log) == _DAMAGED


@pytest.mark.parametrize("content", [b"", bytes(100), frame_of()[:-1]], ids=["empty", "zeros", "torn"])
def test_a_segment_of_nothing_but_a_torn_tail_is_removed(log: Path, content: bytes) -> None:
    segment_id = open_segment(log, content)

    report = recover(log)

    assert report.removed == (segment_id,)
    assert report.cut_bytes == len(content)
    assert disk.entries(log / "open") == disk.entries(log / "sealed") == []


async def test_a_segment_whose_writer_lives_is_left(log: Path) -> None:
    alive = appender(log)
    await alive.start()
    await alive.append(entry(b"alive"))

    report = recover(log)

    assert len(report.in_use) == 1
    assert report.sealed == ()
    await alive.append(entry(b"still alive"))
    await alive.close()
    assert bodies_in(log) == [b"alive", b"still alive"]


def test_a_name_that_leads_elsewhere_once_locked_is_left(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment_id = open_segment(log, _WHOLE)
    lock = disk.File.try_lock

    def sealed_by_another_meanwhile(file: disk.File) -> bool:
        (log / "open" / segment_id).rename(log / "sealed" / f"{segment_id}.2.{len(_WHOLE)}")
        return lock(file)

    monkeypatch.setattr(disk.File, "try_lock", sealed_by_another_meanwhile)
    report = recover(log)

    assert report == RecoveryReport(sealed=(), cut_bytes=0, removed=(), set_aside=(), in_use=(), failed=(), foreign=())
    assert bodies_in(log) == [b"one", b"two"]


def test_foreign_files_are_left_alone_and_stop_nothing(log: Path) -> None:
    open_segment(log, _WHOLE)
    foreign = ["open/notes.txt", "open/.DS_Store", "sealed/backup.tar", "damaged/readme", "archive/x"]
    for name in foreign:
        (log / name).parent.mkdir(exist_ok=True)
        (log / name).write_text("mine")
    (log / "open/folder").mkdir()

    with structlog.testing.capture_logs() as messages:
        report = recover(log)

    assert sorted(report.foreign) == sorted([*foreign, "open/folder"])
    assert len([m for m in messages if m["log_level"] == "warning"]) == 6
    assert all((log / name).read_text() == "mine" for name in foreign)
    assert len(report.sealed) == 1


def test_a_probe_is_not_foreign(log: Path) -> None:
    (log / "open").mkdir(parents=True)
    (log / "open" / probe_name("node_1")).write_bytes(bytes(10))

    assert recover(log).foreign == ()


def test_a_second_name_of_a_sealed_file_is_removed(log: Path) -> None:
    segment_id = open_segment(log, _WHOLE)
    (log / "sealed").mkdir()
    (log / "sealed" / f"{segment_id}.2.{len(_WHOLE)}").hardlink_to(log / "open" / segment_id)

    report = recover(log)

    assert report.removed == (segment_id,)
    assert bodies_in(log) == [b"one", b"two"]


def test_another_segment_of_a_sealed_id_is_set_aside_whole(log: Path) -> None:
    segment_id = open_segment(log, frame_of(b"other"))
    (log / "sealed").mkdir()
    (log / "sealed" / f"{segment_id}.2.{len(_WHOLE)}").write_bytes(_WHOLE)

    report = recover(log)

    assert report.set_aside == (segment_id,)
    assert bodies_in(log) == [b"one", b"two"]
    kept = f"{segment_id}.1.{len(frame_of(b'other'))}.{DamageReason.ID_TAKEN.value}"
    assert disk.entries(log / "damaged") == [kept, f"{kept}.json"]
    assert (log / "damaged" / kept).read_bytes()[12:14] == b"\x0a\x10"


def test_a_segment_that_the_disk_refuses_is_left_and_the_others_go_on(log: Path) -> None:
    bad = open_segment(log, frame_of(b"bad"))
    open_segment(log, frame_of(b"good"))

    with disk.observed(Refuses(lambda o: o.verb == "rename" and bad in o.path)):
        report = recover(log)
    assert report.failed == (bad,)
    assert bodies_in(log) == [b"good"]

    assert [segment.id for segment in recover(log).sealed] == [bad]


def test_content_is_durable_before_its_name_and_the_folders_at_the_end(log: Path) -> None:
    open_segment(log, _WHOLE + b"torn")
    recorder = Recorder()

    with disk.observed(recorder):
        recover(log)

    assert recorder.verbs()[-5:] == [
        "truncate open",
        "sync open",
        "rename open",
        "sync_folder sealed",
        "sync_folder open",
    ]


def test_recovering_twice_is_the_same_as_once(log: Path) -> None:
    open_segment(log, _WHOLE + b"torn")
    first = recover(log)

    second = recover(log)

    assert len(first.sealed) == 1
    assert second.sealed == ()
    assert bodies_in(log) == [b"one", b"two"]


@pytest.mark.parametrize("step", range(20))
def test_a_crash_at_any_step_of_recovery_leaves_everything_to_the_next(log: Path, step: int) -> None:
    open_segment(log, _WHOLE + b"torn")
    open_segment(log, frame_of(b"three"))
    open_segment(log, b"torn")
    dies = DiesBefore(step)
    with disk.observed(dies), contextlib.suppress(Died):
        recover(log)

    recover(log)

    assert sorted(bodies_in(log)) == [b"one", b"three", b"two"]
    assert disk.entries(log / "open") == []
    assert all(parse_sealed(name) for name in disk.entries(log / "sealed"))


def test_the_steps_of_the_crash_test_are_all_steps(log: Path) -> None:
    open_segment(log, _WHOLE + b"torn")
    open_segment(log, frame_of(b"three"))
    open_segment(log, b"torn")
    recorder = Recorder()
    with disk.observed(recorder):
        recover(log)

    assert len(recorder.begun) <= 20


@given(st.binary(max_size=300), st.data())
def test_any_content_is_sealed_or_removed_and_no_whole_record_is_lost(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes, data: st.DataObject
) -> None:
    log = tmp_path_factory.mktemp("data") / "log"
    parts = data.draw(st.permutations([frame_of(b"one"), frame_of(b"two"), garbage]))
    open_segment(log, b"".join(parts))

    recover(log)

    assert sorted(bodies_in(log)) == [b"one", b"two"]
    assert disk.entries(log / "open") == []
