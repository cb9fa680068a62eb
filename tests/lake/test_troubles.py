"""The disk refuses the lake writer: told once per outage, counted each time by its cause, and mended by itself."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from sluice import disk
from sluice.errors import SluiceError
from sluice.lake.failing import PublishFailed
from sluice.lake.metrics import Failure
from sluice.lake.troubles import Troubles
from sluice.lake.writer import MAX_DEATHS, LakeWriter, Outcome
from sluice.log.ports import DamageReason
from sluice.log.reader import LocalSegments
from sluice.log.segment import parse_sealed, whole_name
from tests.support.lake_log import NOW, MemoryLog, record, seal_on_disk
from tests.support.lake_service import FailWhere, files, in_lake, publish_all, started

_STOPS = "nothing is published now; segments wait"


def _body(name: str, *, text_bytes: int = 0) -> bytes:
    # As random as text can be: it takes as much room in the lake as in the log.
    metadata = json.dumps({"text": os.urandom(text_bytes // 2).hex()})
    return f'{{"events":[{{"eventName":"{name}","time":1,"metadata":{metadata}}}]}}'.encode()


def _log(*names: str, text_bytes: int = 0) -> MemoryLog:
    log = MemoryLog()
    for number, name in enumerate(names, 1):
        log.seal([record(_body(name, text_bytes=text_bytes), number=number)])
    return log


def _counted(cause: str) -> float:
    return REGISTRY.get_sample_value("sluice_lake_failures_by_cause_total", {"cause": cause}) or 0.0


def _keeps(cause: str) -> float | None:
    """What the gauge says keeps events from being published; None: never yet."""
    return REGISTRY.get_sample_value("sluice_lake_outages", {"table": "events", "cause": cause})


def _tries(writer: LakeWriter, times: int) -> list[Any]:
    """What is told while it is tried so often."""
    with structlog.testing.capture_logs() as messages:
        for _ in range(times):
            assert writer.run_once(0, at_once=True) is Outcome.FAILED
    return messages


def test_a_log_that_can_be_listed_again_is_no_trouble_any_more_though_nothing_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _log("a")
    writer = started(tmp_path, log, lake_age_s=3600.0)
    waiting = log.waiting

    def unlisted() -> Any:
        raise OSError(errno.EIO, "Input/output error", "log/sealed")

    monkeypatch.setattr(log, "waiting", unlisted)
    _tries(writer, 2)
    assert _keeps("list") == 1

    monkeypatch.setattr(log, "waiting", waiting)
    with structlog.testing.capture_logs() as told:
        assert writer.run_once(NOW) is Outcome.IDLE

    assert _keeps("list") == 0
    assert [message["event"] for message in told] == ["segments are published again"]
    assert log.waiting()


@pytest.mark.parametrize("step", ["write", "sync"])
def test_an_outage_is_told_once_and_counted_each_time_and_its_end_is_told(tmp_path: Path, step: str) -> None:
    writer = started(tmp_path, _log("a"))
    before = _counted(step)
    with disk.observed(FailWhere(step, ".parquet")):
        [error] = _tries(writer, 10)
        assert _keeps(step) == 1
    with structlog.testing.capture_logs() as after:
        publish_all(writer)

    assert (error["log_level"], error["cause"]) == ("error", step)
    assert "No space left on device" in error["error"]
    [path] = [part for part in error["error"].split(": ") if part.endswith(".parquet")]
    assert path.startswith(str(tmp_path / "lake" / ".staging"))
    assert error["hint"] == f"free space on the disk of {path}"
    assert _counted(step) - before == 10
    assert _keeps(step) == 0
    assert [(m["event"], m["table"]) for m in (error, *after)] == [
        (_STOPS, "events"),
        ("file published", "events"),
        ("segments are published again", "events"),
    ]
    assert in_lake(tmp_path) == ["a"]


def test_one_fault_is_told_once_per_table_at_whichever_steps_it_is_met_and_another_one_anew() -> None:
    tables = [Troubles("events"), Troubles("rejects")]
    with structlog.testing.capture_logs() as told:
        for troubles in tables:
            for cause in (Failure.LIST, Failure.STAGING, Failure.LIST, Failure.WRITE):
                troubles.failed(
                    PublishFailed(cause, OSError(errno.EACCES, "Permission denied", f"/data/{cause.value}"))
                )
            troubles.failed(PublishFailed(Failure.WRITE, OSError(errno.ENOSPC, "No space left on device", "/data")))
            troubles.nothing_waits()

    assert [(m["table"], m["event"], m.get("cause"), m.get("hint")) for m in told] == [
        row
        for table in ("events", "rejects")
        for row in (
            (table, _STOPS, "list", "give the service's user its rights on /data/list"),
            (table, _STOPS, "write", "free space on the disk of /data"),
            (table, "segments are published again", None, None),
        )
    ]


class _SmallDisk:
    """Room for so many bytes of what is staged: two of the segments below."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes

    def before(self, operation: disk.Operation) -> None:
        end = operation.offset + len(operation.data)
        if operation.verb == "write" and operation.path.endswith(".parquet") and end > self._size_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def after(self, operation: disk.Operation) -> None:
        pass


def test_where_there_is_no_room_for_a_file_smaller_ones_are_made_that_make_room(tmp_path: Path) -> None:
    names = list("abcdefgh")
    log = _log(*names, text_bytes=100_000)
    writer = started(tmp_path, log)
    with disk.observed(_SmallDisk(130_000)):
        outcomes = publish_all(writer)

    assert in_lake(tmp_path) == names
    assert log.waiting() == []
    assert 4 <= len(files(tmp_path)) <= len(names)
    assert outcomes.count(Outcome.FAILED) <= len(names)


def test_files_are_as_large_as_ever_when_there_is_room_again(tmp_path: Path) -> None:
    log = _log("a", "b", text_bytes=100_000)
    writer = started(tmp_path, log)
    with disk.observed(FailWhere("write", ".parquet")):
        _tries(writer, 4)
    publish_all(writer)
    for number in range(8):
        log.seal([record(_body(f"later {number}"), number=100 + number)])
    publish_all(writer)
    before = len(files(tmp_path))
    for number in range(8):
        log.seal([record(_body(f"last {number}"), number=200 + number)])
    publish_all(writer)

    assert len(files(tmp_path)) == before + 1


def test_a_file_of_the_lake_that_cannot_be_read_holds_up_its_own_hour_alone_and_only_for_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _log("a")
    publish_all(started(tmp_path, log))
    [unreadable] = files(tmp_path)
    log.seal([record(_body("same hour"), number=2)])
    log.seal([record(_body("next hour"), number=3)], hour="20260131T08")
    writer = started(tmp_path, log)
    open_read = disk.open_read

    def refuses(path: Path) -> disk.File:
        if path == unreadable:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_read(path)

    with monkeypatch.context() as patched, structlog.testing.capture_logs() as during:
        patched.setattr(disk, "open_read", refuses)
        publish_all(writer)
        assert in_lake(tmp_path) == ["a", "next hour"]
    with structlog.testing.capture_logs() as after:
        publish_all(writer)

    assert [m["cause"] for m in during if m["log_level"] == "error"] == ["unreadable_file"]
    assert "Permission denied" in during[0]["error"]
    assert [m["event"] for m in after if m["log_level"] == "warning"] == ["all that waits can be read again"]
    assert in_lake(tmp_path) == ["a", "next hour", "same hour"]


def test_a_lake_whose_folders_went_away_is_made_anew(tmp_path: Path) -> None:
    log = _log("a")
    writer = started(tmp_path, log)
    (tmp_path / "lake").rename(tmp_path / "away")
    (tmp_path / "lake").write_text("in the way")
    assert publish_all(writer) == []
    (tmp_path / "lake").unlink()
    publish_all(writer)

    assert in_lake(tmp_path) == ["a"]


def _seal(data_dir: Path, name: str, number: int, *, hours_ago: int = 0) -> Path:
    records = [record(_body(name), number=number)]
    return seal_on_disk(data_dir, records, number=number, at=NOW - 3600 * hours_ago)


def _log_on_disk(data_dir: Path) -> LocalSegments:
    return LocalSegments(data_dir / "log")


@pytest.mark.parametrize("is_the_same", [True, False])
def test_a_condemned_segment_that_was_set_aside_before_holds_up_no_other(tmp_path: Path, is_the_same: bool) -> None:
    bad = _seal(tmp_path, "kills", 1)
    segment = parse_sealed(bad.name)
    assert segment is not None
    kept = tmp_path / "log/damaged" / whole_name(segment, DamageReason.KILLS_THE_WRITER)
    kept.write_bytes(bad.read_bytes() if is_the_same else b"of another one")
    _seal(tmp_path, "good", 2)
    writer = started(tmp_path, _log_on_disk(tmp_path), blamed={segment.id: MAX_DEATHS})
    with structlog.testing.capture_logs() as messages:
        publish_all(writer)
        _seal(tmp_path, "later", 3)
        publish_all(writer)

    assert in_lake(tmp_path) == ["good", "later"]
    assert kept.exists()
    assert bad.exists() is not is_the_same
    assert writer.leaves_some is not is_the_same
    errors = [(m["cause"], m["event"]) for m in messages if m["log_level"] == "error"]
    assert errors == ([] if is_the_same else [("set_aside", "not published, or not let go; the others are")])
    assert [m for m in messages if m["log_level"] == "warning"] == []


def test_damage_that_cannot_be_kept_holds_up_its_own_segment_alone_and_is_told_as_that(tmp_path: Path) -> None:
    damaged = _seal(tmp_path, "whole", 1, hours_ago=1)
    damaged.write_bytes(damaged.read_bytes() + b"behind its end")
    _seal(tmp_path, "good", 2)
    writer = started(tmp_path, _log_on_disk(tmp_path))
    with disk.observed(FailWhere("create", "damaged")), structlog.testing.capture_logs() as during:
        for _ in range(6):
            writer.run_once(NOW, at_once=True)
        _seal(tmp_path, "later", 3)
        for _ in range(6):
            writer.run_once(NOW, at_once=True)
        assert in_lake(tmp_path) == ["good", "later"]
    publish_all(writer)

    assert {m["cause"] for m in during if m["log_level"] == "error"} == {"set_aside"}
    assert in_lake(tmp_path) == ["good", "later", "whole"]


def test_what_befalls_one_segment_is_told_once_however_many_others_are_published(tmp_path: Path) -> None:
    stuck = _seal(tmp_path, "stuck", 1)
    writer = started(tmp_path, _log_on_disk(tmp_path))
    with disk.observed(FailWhere("unlink", stuck.name)), structlog.testing.capture_logs() as during:
        for number in range(2, 8):
            writer.run_once(NOW, at_once=True)
            _seal(tmp_path, f"good {number}", number)
            writer.run_once(NOW, at_once=True)
    with structlog.testing.capture_logs() as after:
        publish_all(writer)

    assert [m["event"] for m in during if m["log_level"] in ("error", "warning")] == [
        _STOPS,
        "segments are published again",
        "not published, or not let go; the others are",
    ]
    assert [(m["event"], m["table"]) for m in after if m["log_level"] == "warning"] == [
        ("all that waits can be published again", "events")
    ]
    assert in_lake(tmp_path) == [*(f"good {number}" for number in range(2, 8)), "stuck"]


def test_all_is_not_said_to_be_well_while_an_hour_that_cannot_be_read_waits(tmp_path: Path) -> None:
    _seal(tmp_path, "a", 1)
    writer = started(tmp_path, _log_on_disk(tmp_path))
    publish_all(writer)
    [file] = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(b"broken")
    _seal(tmp_path, "same hour", 2)
    writer = started(tmp_path, _log_on_disk(tmp_path))
    publish_all(writer)
    assert writer.leaves_some

    file.write_bytes(whole)
    publish_all(writer)
    assert not writer.leaves_some


def test_a_file_that_another_one_was_put_in_place_of_is_not_published(tmp_path: Path) -> None:
    class Replaces:
        def __init__(self) -> None:
            self.left = 1

        def before(self, operation: disk.Operation) -> None:
            pass

        def after(self, operation: disk.Operation) -> None:
            if operation.verb == "sync" and operation.path.endswith(".parquet") and self.left:
                self.left -= 1
                Path(operation.path).unlink()
                Path(operation.path).write_bytes(b"half")

    log = _log("a")
    writer = started(tmp_path, log)
    with disk.observed(Replaces()):
        assert writer.run_once(0, at_once=True) is Outcome.FAILED
    assert files(tmp_path) == []
    publish_all(writer)

    assert in_lake(tmp_path) == ["a"]


def test_the_gauge_says_what_is_the_matter_now_and_not_what_was() -> None:
    troubles = Troubles("events")
    error = SluiceError("broken")

    def shown() -> set[str]:
        return {cause.value for cause in Failure if _keeps(cause.value)}

    troubles.failed(PublishFailed(Failure.WRITE, OSError(errno.ENOSPC, "full")))
    troubles.failed(PublishFailed(Failure.MOVE, OSError(errno.EIO, "broken")))
    assert shown() == {"move"}
    troubles.published("20260101T00")
    assert shown() == set()
    for number in range(30):
        troubles.unreadable(f"hour {number}", Failure.UNREADABLE_FILE, error)
    troubles.unreadable("a segment", Failure.UNREADABLE_SEGMENT, error)
    assert shown() == {"unreadable_file", "unreadable_segment"}
    troubles.readable(*(f"hour {number}" for number in range(30)))
    assert shown() == {"unreadable_segment"}
    troubles.keep_only([])
    assert shown() == set()


# Which hint each error of the system has: tests/test_outage.py.
@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTTY])
@pytest.mark.parametrize("cause", Failure)
def test_every_cause_is_told_with_a_hint_whatever_the_system_says(cause: Failure, number: int) -> None:
    troubles = Troubles("events")
    error = PublishFailed(cause, OSError(number, os.strerror(number), "/data/lake"))
    with structlog.testing.capture_logs() as told:
        troubles.failed(error)
        troubles.left_apart(error, "a segment")
        troubles.unreadable("an hour", cause, error)
        troubles.nothing_waits()
        troubles.keep_only([])

    assert [bool(message["hint"]) for message in told if message["log_level"] == "error"] == [True, True, True]


def test_nothing_is_published_below_the_mount_point_of_a_lake_whose_disk_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _log("a")
    writer = started(tmp_path, log)
    place_of = disk.place_of

    def on_another_disk(path: Path) -> disk.Place | None:
        found = place_of(path)
        return found._replace(device=found.device + 1) if found and path == tmp_path / "lake" else found

    with monkeypatch.context() as patched:
        patched.setattr(disk, "place_of", on_another_disk)
        [error] = _tries(writer, 3)
        assert files(tmp_path) == []
    publish_all(writer)

    assert "on another disk than at the start" in error["error"]
    assert in_lake(tmp_path) == ["a"]
