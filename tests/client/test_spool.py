import json
import logging
import threading
from pathlib import Path

import pytest

from sluice import disk
from sluice.client import Event, Reason, SpoolError, SpoolLocked, read_refused
from sluice.client.encode import encode
from sluice.client.refused_file import REFUSED_NAME
from sluice.client.report import Dropped
from sluice.client.spool import Spool
from sluice.framing import frame
from sluice.storage.v1 import spool_record_pb2 as pb
from tests.support.lake_service import FailWhere
from tests.support.waiting import wait_until

A, B, C = (letter * 16 for letter in (b"a", b"b", b"c"))


def _open(folder: Path, *, most_bytes: int = 1 << 20, keep_refused_bytes: int = 1 << 20) -> Spool:
    return Spool(folder, most_bytes=most_bytes, keep_refused_bytes=keep_refused_bytes)


def _leave(folder: Path, **batches: list[bytes]) -> None:
    """What a client that was killed leaves."""
    spool = _open(folder)
    for letter, events in batches.items():
        spool.append(letter.encode() * 16, events)
    spool.release()


def _leftovers(spool: Spool) -> list[dict[bytes, list[bytes]]]:
    return [dict(spool.next_leftovers()) for _ in range(spool.leftovers)]


def _dropped(name: str) -> Dropped:
    event = Event(name, "u1", value=3, metadata={"n": 1}, time=5, event_id=f"id-{name}")
    encoded = encode(event, now_ms=0, most_bytes=1 << 20)[1]
    return Dropped(encoded=encoded, reason=Reason.REFUSED, path="event_name", message="missing")


class Syncs:
    """Sees what is synced; keeps a sync from ending while `holds` is set."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        self.holds = threading.Event()

    def before(self, operation: disk.Operation) -> None:
        if operation.verb == "datasync":
            self.synced.append(Path(operation.path).name)
            while self.holds.is_set():
                threading.Event().wait(0.002)

    def after(self, operation: disk.Operation) -> None:
        pass


def test_the_next_client_finds_each_batch_under_its_key_oldest_first(tmp_path: Path) -> None:
    _leave(tmp_path, a=[b"1", b"2"], b=[b"3"])
    _leave(tmp_path, c=[b"4"])
    spool = _open(tmp_path)

    assert _leftovers(spool) == [{A: [b"1", b"2"]}, {B: [b"3"]}, {C: [b"4"]}]
    assert spool.read(B) == [b"3"]
    spool.close()


def test_what_is_settled_leaves_nothing(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.append(A, [b"1"])
    spool.append(B, [b"2"])
    spool.remove(A)
    spool.remove(B)

    assert (spool.size, spool.batches, list(tmp_path.iterdir())) == (0, 0, [])
    spool.close()


def test_a_folder_is_one_clients(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    with pytest.raises(SpoolLocked, match="in use by another client"):
        _open(tmp_path)
    spool.close()

    _open(tmp_path).close()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SpoolError, match=r"can't be opened: .*File exists"):
        _open(tmp_path / "file" / "spool")


def test_a_torn_end_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _leave(tmp_path, a=[b"1"])
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-1])
    spool = _open(tmp_path)

    assert _leftovers(spool) == [{A: [b"1"]}]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"{path} lost its end: {len(whole) - 1} bytes")
    ]
    spool.close()


@pytest.mark.parametrize("content", [b"", bytes(100)], ids=["empty", "zeros"])
def test_a_file_without_a_whole_call_is_removed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0000000000000007.batch").write_bytes(content)
    spool = _open(tmp_path)

    assert _leftovers(spool) == [{}]
    assert (spool.size, spool.batches, list(tmp_path.iterdir())) == (0, 0, [])
    spool.close()


def test_a_damaged_file_is_kept_and_what_is_whole_in_it_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _leave(tmp_path, a=[b"1"])
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    damaged = bytes([whole[0] ^ 1]) + whole[1:] + whole
    path.write_bytes(damaged)
    spool = _open(tmp_path)

    assert _leftovers(spool) == [{A: [b"1"]}]
    spool.remove(A)
    assert (tmp_path / "damaged" / path.name).read_bytes() == damaged
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    spool.close()


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "0000000000000007.batch"
    path.write_bytes(frame(pb.SpoolRecord(idempotency_key=A, format_version=2).SerializeToString()))
    before = path.read_bytes()
    spool = _open(tmp_path)

    assert _leftovers(spool) == [{}]
    spool.append(B, [b"1"])
    assert path.read_bytes() == before
    assert "later version" in caplog.text
    spool.close()


def test_a_full_spool_has_no_room_and_small_batches_count_as_what_they_take(tmp_path: Path) -> None:
    spool = _open(tmp_path, most_bytes=10 * 4096)
    number = 0
    while spool.room_for(1, 1):
        spool.append(number.to_bytes(16), [b"x"])
        number += 1

    assert number == 9
    spool.remove(bytes(16))
    assert spool.room_for(1, 1)
    spool.close()


def test_a_failed_write_is_told_and_leaves_what_was_before(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.append(A, [b"1"])
    with (
        disk.observed(FailWhere("write")),
        pytest.raises(SpoolError, match=r"can't be written: .*No space left on device"),
    ):
        spool.append(A, [b"2"])
    with disk.observed(FailWhere("write")), pytest.raises(SpoolError):
        spool.append(B, [b"3"])
    spool.append(A, [b"4"])
    spool.release()

    assert _leftovers(_open(tmp_path)) == [{A: [b"1", b"4"]}]


def test_parts_take_the_place_of_a_batch_at_once(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.append(A, [b"1", b"2", b"3"])
    spool.divide(A, {B: [b"1"], C: [b"3"]})
    with disk.observed(FailWhere("rename")), pytest.raises(SpoolError):
        spool.divide(B, {A: []})
    spool.remove(B)
    spool.release()

    assert _leftovers(_open(tmp_path)) == [{C: [b"3"]}]


def test_a_sync_covers_all_that_was_written_before_and_is_shared(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    syncs = Syncs()
    with disk.observed(syncs):
        syncs.holds.set()
        spool.append(A, [b"1"])
        first = threading.Thread(target=spool.sync, args=(spool.writes,))
        first.start()
        wait_until(lambda: syncs.synced)
        spool.append(A, [b"2"])
        others = [threading.Thread(target=spool.sync, args=(spool.writes,)) for _ in range(5)]
        for thread in others:
            thread.start()
        syncs.holds.clear()
        for thread in [first, *others]:
            thread.join(10)

    assert syncs.synced == ["0000000000000000.batch"] * 2
    spool.close()


def test_a_call_whose_write_is_synced_waits_for_no_other(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    syncs = Syncs()
    with disk.observed(syncs):
        syncs.holds.set()
        spool.append(A, [b"1"])
        threads = [threading.Thread(target=spool.sync, args=(spool.writes,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: syncs.synced)
        spool.append(A, [b"2"])  # and nobody waits for it
        syncs.holds.clear()
        for thread in threads:
            thread.join(10)

    assert len(syncs.synced) == 1
    spool.close()


def test_a_sync_that_fails_is_told_and_made_up_for(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.append(A, [b"1"])
    with disk.observed(FailWhere("datasync")), pytest.raises(SpoolError, match="can't be synced"):
        spool.sync()
    syncs = Syncs()
    with disk.observed(syncs):
        spool.sync()

    assert syncs.synced == ["0000000000000000.batch"]
    spool.close()


def test_what_was_delivered_before_the_sync_is_not_missed(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.append(A, [b"1"])
    (tmp_path / "0000000000000000.batch").unlink()

    spool.sync()
    spool.close()


def test_refused_events_are_kept_as_rest_takes_them_and_read_back(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.keep_refused([_dropped("one")])
    spool.keep_refused([_dropped("two")])
    spool.close()
    lines = (tmp_path / REFUSED_NAME).read_text().splitlines()

    assert json.loads(lines[0]) | {"at": ""} == {
        "at": "",
        "reason": "refused",
        "path": "event_name",
        "message": "missing",
        "may_be_stored": False,
        "event": {
            "user": {"userID": "u1"},
            "eventName": "one",
            "time": 5,
            "value": 3.0,
            "metadata": {"n": 1.0},
            "eventID": "id-one",
        },
    }
    assert [(kept.event.event_name, kept.path, kept.reason) for kept in read_refused(tmp_path)] == [
        ("one", "event_name", Reason.REFUSED),
        ("two", "event_name", Reason.REFUSED),
    ]


def test_refused_events_are_kept_up_to_a_limit_and_then_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = _open(tmp_path, keep_refused_bytes=400)
    for name in ("one", "two", "three"):
        spool.keep_refused([_dropped(name)])
    spool.close()

    assert [kept.event.event_name for kept in read_refused(tmp_path)] == ["one"]
    assert {(record.levelno, "is full (400 bytes)" in record.getMessage()) for record in caplog.records} == {
        (logging.ERROR, True)
    }


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    spool = _open(tmp_path)
    spool.keep_refused([_dropped("one"), _dropped("two")])
    spool.close()
    path = tmp_path / REFUSED_NAME
    path.write_bytes(path.read_bytes()[:-5])

    assert [kept.event.event_name for kept in read_refused(tmp_path)] == ["one"]
    assert list(read_refused(tmp_path / "nothing")) == []
