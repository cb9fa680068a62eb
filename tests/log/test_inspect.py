"""A log is listed, verified and dumped without changing it, and without disturbing who writes it."""

import base64
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from sluice import disk
from sluice.log.ids import new_request_id, request_id_text
from sluice.log.inspect import Fault, dump_records, list_segments, verify_segments
from sluice.log.ports import Body, Damage, DamageReason
from sluice.log.reader import LocalSegments
from sluice.log.segment import State
from tests.support.log_records import Recorder, appender, entry, frame_of, open_segment, sealed_segment

_ONE, _TWO = frame_of(b"one"), frame_of(b"two")
_BROKEN_LENGTH = b"\xff" + _TWO[1:]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def _where(fault: Fault) -> tuple[State, str, int, int, str]:
    return fault.state, fault.segment, fault.offset, fault.bytes, fault.reason


def test_a_folder_without_a_log_is_an_empty_one(log: Path) -> None:
    assert list_segments(log, now=0) == []
    assert list(verify_segments(log)) == []
    assert list(dump_records(log)) == []
    assert not log.exists()


async def test_the_list_tells_each_state_from_its_folder(log: Path) -> None:
    archived = sealed_segment(log, _ONE, records=1)
    LocalSegments(log, archive=True).done([archived])
    damaged = sealed_segment(log, _ONE, records=1)
    LocalSegments(log).set_aside(damaged, [Damage(offset=3, data=b"12345", reason=DamageReason.BROKEN_LENGTH)])
    LocalSegments(log).set_aside_whole(damaged, DamageReason.KILLS_THE_WRITER, "")
    sealed = sealed_segment(log, _ONE + _TWO, records=2)
    dead = open_segment(log, _ONE + b"torn")
    alive = appender(log)
    await alive.start()
    await alive.append(entry())

    listed = list_segments(log, now=4e9)
    await alive.close()

    shown = [(s.state, s.records, s.bytes, s.locked, s.reason) for s in listed]
    assert shown == [
        (State.ARCHIVED, 1, len(_ONE), False, ""),
        (State.SEALED, 2, len(_ONE + _TWO), False, ""),
        (State.OPEN, 1, len(_ONE) + 4, False, ""),
        (State.OPEN, 1, len(frame_of()), True, ""),
        (State.DAMAGED, 1, len(_ONE), False, "kills_the_writer"),
        (State.DAMAGED, None, 5, False, "broken_length"),
    ]
    assert [s.id for s in listed[:3]] == [archived.id, sealed.id, dead]
    assert {(s.hour, s.node) for s in listed[:3]} == {("20260101T00", "node_1")}
    assert all(s.age_s > 0 for s in listed)


def test_verifying_names_each_fault_by_segment_offset_and_reason(log: Path) -> None:
    good = sealed_segment(log, _ONE, records=1)
    bad = sealed_segment(log, _ONE + _BROKEN_LENGTH + _TWO, records=3)
    short = sealed_segment(log, _ONE, records=2, size_bytes=len(_ONE + _TWO))
    torn = open_segment(log, _ONE + bytes(100))

    faults = [_where(fault) for fault in verify_segments(log)]

    assert good.id not in {fault[1] for fault in faults}
    assert faults == [
        (State.SEALED, bad.id, len(_ONE), len(_BROKEN_LENGTH), "broken_length"),
        (State.SEALED, short.id, len(_ONE), 0, "missing_end"),
        (State.OPEN, torn, len(_ONE), 100, "torn_tail"),
    ]


def test_what_was_set_aside_of_an_archived_segment_is_no_fault_of_it(log: Path) -> None:
    bad = sealed_segment(log, _ONE + _BROKEN_LENGTH + _TWO, records=3)
    segments = LocalSegments(log, archive=True)
    segments.done([bad])
    assert [fault.state for fault in verify_segments(log)] == [State.ARCHIVED]

    segments.set_aside(bad, [Damage(offset=len(_ONE), data=_BROKEN_LENGTH, reason=DamageReason.BROKEN_LENGTH)])

    assert list(verify_segments(log)) == []


async def test_a_write_that_is_going_on_is_no_fault(log: Path) -> None:
    alive = appender(log)
    await alive.start()
    await alive.append(entry())
    (path,) = (log / "open").iterdir()
    with path.open("ab") as file:
        file.write(_ONE[:20])

    assert list(verify_segments(log)) == []
    assert len(list(dump_records(log))) == 1
    await alive.close()


async def test_looking_changes_nothing_and_takes_no_lock(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = appender(log)
    await alive.start()
    await alive.append(entry())
    recorder = Recorder()
    monkeypatch.setattr(disk.File, "try_lock", None)

    with disk.observed(recorder):
        list_segments(log, now=0)
        list(verify_segments(log))
        list(dump_records(log, body=True))

    assert recorder.begun == []
    monkeypatch.undo()
    await alive.close()


def test_a_dump_shows_all_fields_but_the_body(log: Path) -> None:
    request_id = new_request_id()
    content = frame_of(
        b'{"events":[]}', request_id=request_id, client_time_ms=7, quarantined_indices=(1, 2), sdk_type="py"
    )
    sealed = sealed_segment(log, content, records=1)

    (record,) = dump_records(log)

    assert json.loads(json.dumps(asdict(record))) == {
        "segment": sealed.id,
        "offset": 0,
        "request_id": request_id_text(request_id),
        "format_version": 1,
        "received_at": "2026-01-01T00:00:00.000000+00:00",
        "client_time_ms": 7,
        "key_id": "key-1",
        "project": "default",
        "source": "sdk",
        "node": "node_1",
        "event_count": 1,
        "quarantined_indices": [1, 2],
        "sdk_type": "py",
        "sdk_version": "",
        "session_id": "",
        "body_format": "json",
        "body_bytes": 13,
        "body": None,
    }


def test_a_dump_has_bodies_when_asked(log: Path) -> None:
    content = frame_of(b'"\xc3\xa4"') + frame_of(b"\xff\x00", body_format=Body.LOG_EVENT_REQUEST)
    sealed_segment(log, content, records=2)

    assert [record.body for record in dump_records(log, body=True)] == ['"ä"', base64.b64encode(b"\xff\x00").decode()]


def test_a_dump_of_one_segment_has_its_records_alone(log: Path) -> None:
    sealed_segment(log, _ONE, records=1)
    wanted = sealed_segment(log, _ONE + _TWO, records=2)

    assert [record.segment for record in dump_records(log, segment_id=wanted.id)] == [wanted.id] * 2


def test_a_segment_that_moves_on_while_it_is_looked_at_is_read_where_it_went(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment_id = open_segment(log, _ONE)
    (log / "sealed").mkdir()
    read_bytes = disk.read_bytes

    def sealed_meanwhile(path: Path) -> bytes:
        if (log / "open" / segment_id).exists():
            (log / "open" / segment_id).rename(log / "sealed" / f"{segment_id}.1.{len(_ONE)}")
        return read_bytes(path)

    monkeypatch.setattr(disk, "read_bytes", sealed_meanwhile)
    assert [record.segment for record in dump_records(log)] == [segment_id]
