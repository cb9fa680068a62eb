"""Sealed segments are read to their last byte; what is no record is kept below damaged/; then the segment goes."""

import contextlib
import json
from pathlib import Path

import pytest

from sluice import disk
from sluice.framing import Frame, frame, scan
from sluice.log.ports import Damage, DamageReason, Sealed
from sluice.log.reader import LocalSegments
from sluice.log.record import decode
from sluice.log.segment import sealed_name
from sluice.storage.v1 import log_record_pb2 as pb
from tests.support.log_records import Died, DiesBefore, Recorder, bodies_in, frame_of, sealed_segment

_ONE, _TWO = frame_of(b"one"), frame_of(b"two")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log/damaged").mkdir(parents=True)
    return tmp_path / "log"


def _of_version(version: int) -> bytes:
    record = pb.LogRecord.FromString(frame_of(b"later")[12:-4])
    record.format_version = version
    return frame(record.SerializeToString())


def _damages(log: Path, sealed: Sealed) -> list[tuple[int, int, DamageReason]]:
    parts = LocalSegments(log).read(sealed)
    return [(part.offset, len(part.data), part.reason) for part in parts if isinstance(part, Damage)]


def test_the_oldest_hour_waits_first(log: Path) -> None:
    for hour in ("20260101T02", "20260101T00", "20251231T23"):
        sealed = sealed_segment(log, _ONE, records=1)
        name = sealed_name(sealed)
        (log / "sealed" / name).rename(log / "sealed" / name.replace("20260101T00", hour, 1))
    (log / "sealed/notes.txt").write_text("mine")

    assert [segment.hour for segment in LocalSegments(log).waiting()] == ["20251231T23", "20260101T00", "20260101T02"]


def test_records_come_with_their_offsets(log: Path) -> None:
    sealed = sealed_segment(log, _ONE + _TWO, records=2)

    parts = list(LocalSegments(log).read(sealed))

    assert [(part[0], part[1].body) for part in parts if isinstance(part, tuple)] == [(0, b"one"), (len(_ONE), b"two")]
    assert len(parts) == 2


_LATER = _of_version(2)
_NO_RECORD = frame(b"no record")
_BROKEN_LENGTH = b"\xff" + _TWO[1:]
_BROKEN_PAYLOAD = _TWO[:-1] + bytes([_TWO[-1] ^ 1])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(_LATER, DamageReason.UNKNOWN_VERSION, id="a later version"),
        pytest.param(_NO_RECORD, DamageReason.NOT_A_RECORD, id="a frame of something else"),
        pytest.param(_BROKEN_LENGTH, DamageReason.BROKEN_LENGTH, id="a broken length"),
        pytest.param(_BROKEN_PAYLOAD, DamageReason.BROKEN_PAYLOAD, id="a broken payload"),
    ],
)
def test_damage_is_yielded_where_it_is_and_the_rest_goes_on(log: Path, bad: bytes, reason: DamageReason) -> None:
    sealed = sealed_segment(log, _ONE + bad + _TWO, records=3)

    parts = list(LocalSegments(log).read(sealed))

    assert [type(part) for part in parts] == [tuple, Damage, tuple]
    damage = parts[1]
    assert isinstance(damage, Damage)
    assert (damage.offset, damage.data, damage.reason) == (len(_ONE), bad, reason)
    assert damage.detail


@pytest.mark.parametrize(
    ("content", "records", "size_bytes", "damages"),
    [
        pytest.param(
            _ONE,
            2,
            len(_ONE + _TWO),
            [(len(_ONE), 0, DamageReason.MISSING_END)],
            id="the end is missing at a frame boundary",
        ),
        pytest.param(
            _ONE + _TWO[:5],
            2,
            len(_ONE + _TWO),
            [(len(_ONE), 5, DamageReason.BROKEN_LENGTH), (len(_ONE) + 5, 0, DamageReason.MISSING_END)],
            id="the end is missing within a frame",
        ),
        pytest.param(b"", 2, len(_ONE + _TWO), [(0, 0, DamageReason.MISSING_END)], id="all is missing"),
        pytest.param(_ONE, 2, len(_ONE), [(len(_ONE), 0, DamageReason.MISSING_END)], id="the seal counts more records"),
        pytest.param(
            _ONE + _TWO, 1, len(_ONE), [(len(_ONE), len(_TWO), DamageReason.NOT_A_RECORD)], id="bytes behind the seal"
        ),
    ],
)
def test_a_seal_that_does_not_fit_is_damage(
    log: Path, content: bytes, records: int, size_bytes: int, damages: list[tuple[int, int, DamageReason]]
) -> None:
    sealed = sealed_segment(log, content, records=records, size_bytes=size_bytes)

    assert _damages(log, sealed) == damages


def test_what_is_set_aside_is_kept_unaltered_with_its_reason(log: Path) -> None:
    sealed = sealed_segment(log, _ONE + _LATER + _TWO, records=3)
    segments = LocalSegments(log)
    damages = [part for part in segments.read(sealed) if isinstance(part, Damage)]

    segments.set_aside(sealed, damages)

    name = f"{sealed.id}.{len(_ONE)}.unknown_version"
    assert disk.entries(log / "damaged") == [name, f"{name}.json"]
    assert (log / "damaged" / name).read_bytes() == _LATER
    assert json.loads((log / "damaged" / f"{name}.json").read_text()) == {
        "segment": sealed.id,
        "offset": len(_ONE),
        "bytes": len(_LATER),
        "reason": "unknown_version",
        "detail": "written by a later version; this one reads format version 1",
    }


def test_a_record_that_was_set_aside_can_be_read_by_one_that_knows_it(log: Path) -> None:
    sealed = sealed_segment(log, frame_of(b"body that one decoder refuses"), records=1)
    content = (log / "sealed" / sealed_name(sealed)).read_bytes()
    segments = LocalSegments(log)
    segments.set_aside(sealed, [Damage(offset=0, data=content, reason=DamageReason.UNDECODABLE_BODY)])

    (part,) = scan((log / "damaged" / f"{sealed.id}.0.undecodable_body").read_bytes())

    assert isinstance(part, Frame)
    record = decode(part.payload)
    assert isinstance(record, pb.LogRecord)
    assert record.body == b"body that one decoder refuses"


def test_a_missing_end_leaves_a_report_alone(log: Path) -> None:
    sealed = sealed_segment(log, _ONE, records=2, size_bytes=len(_ONE + _TWO))
    segments = LocalSegments(log)

    segments.set_aside(sealed, [part for part in segments.read(sealed) if isinstance(part, Damage)])

    (name,) = disk.entries(log / "damaged")
    assert name == f"{sealed.id}.{len(_ONE)}.missing_end.json"


@pytest.mark.parametrize("step", range(11))
def test_a_crash_while_setting_aside_leaves_the_same_to_the_next(log: Path, step: int) -> None:
    sealed = sealed_segment(log, _ONE + _NO_RECORD + _TWO, records=3)
    segments = LocalSegments(log)
    damages = [part for part in segments.read(sealed) if isinstance(part, Damage)]
    with disk.observed(DiesBefore(step)):
        try:
            segments.set_aside(sealed, damages)
            assert step >= 10
        except Died:
            pass

    segments.set_aside(sealed, damages)

    name = f"{sealed.id}.{len(_ONE)}.not_a_record"
    assert disk.entries(log / "damaged") == [name, f"{name}.json"]
    assert (log / "damaged" / name).read_bytes() == _NO_RECORD


def test_a_segment_is_set_aside_whole_with_its_report_first(log: Path) -> None:
    sealed = sealed_segment(log, _ONE, records=1)
    segments = LocalSegments(log)
    recorder = Recorder()
    with disk.observed(recorder):
        segments.set_aside_whole(sealed, DamageReason.KILLS_THE_WRITER, "killed the writer three times")
    segments.set_aside_whole(sealed, DamageReason.KILLS_THE_WRITER, "killed the writer three times")

    name = f"{sealed_name(sealed)}.kills_the_writer"
    assert disk.entries(log / "damaged") == [name, f"{name}.json"]
    assert (log / "damaged" / name).read_bytes() == _ONE
    assert segments.waiting() == []
    assert recorder.verbs()[-3:] == ["rename sealed", "sync_folder damaged", "sync_folder sealed"]


def test_damaged_is_made_again_by_whoever_needs_it(log: Path) -> None:
    sealed = sealed_segment(log, _ONE, records=1)
    (log / "damaged").rmdir()

    LocalSegments(log).set_aside_whole(sealed, DamageReason.KILLS_THE_WRITER, "")

    assert len(disk.entries(log / "damaged")) == 2


def test_what_is_done_is_removed_durably(log: Path) -> None:
    first, second = (sealed_segment(log, _ONE, records=1) for _ in range(2))
    segments = LocalSegments(log)
    recorder = Recorder()

    with disk.observed(recorder):
        segments.done([first, second])
        segments.done([first])
        segments.done([])

    assert segments.waiting() == []
    assert recorder.verbs() == ["unlink sealed", "unlink sealed", "sync_folder sealed", "sync_folder sealed"]


def test_what_is_done_is_archived_by_setting(log: Path) -> None:
    sealed = sealed_segment(log, _ONE, records=1)
    segments = LocalSegments(log, archive=True)

    segments.done([sealed])
    (log / "sealed" / sealed_name(sealed)).write_bytes(_ONE)
    segments.done([sealed])

    assert segments.waiting() == []
    assert (log / "archive" / sealed_name(sealed)).read_bytes() == _ONE


@pytest.mark.parametrize("step", range(8))
def test_a_crash_while_archiving_loses_nothing(log: Path, step: int) -> None:
    sealed = sealed_segment(log, _ONE, records=1)
    segments = LocalSegments(log, archive=True)
    with disk.observed(DiesBefore(step)), contextlib.suppress(Died):
        segments.done([sealed])

    segments.done([sealed])

    assert bodies_in(log) == []
    assert (log / "archive" / sealed_name(sealed)).read_bytes() == _ONE


def test_a_segment_that_is_gone_is_an_oserror(log: Path) -> None:
    sealed = sealed_segment(log, _ONE, records=1)
    segments = LocalSegments(log)
    segments.done([sealed])

    with pytest.raises(FileNotFoundError):
        list(segments.read(sealed))
