"""The disk refuses: callers are told, nothing that was refused is in the log, and it heals without a restart."""

import asyncio
import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from sluice import disk
from sluice.log.appender import SegmentAppender
from sluice.log.ports import LogUnavailable
from sluice.log.reader import LocalSegments
from sluice.log.recovery import recover
from tests.support.log_records import Recorder, Refuses, appender, bodies_in, entry
from tests.support.waiting import until


def _is(verb: str, folder: str = "open") -> Callable[[disk.Operation], bool]:
    def picks(operation: disk.Operation) -> bool:
        path = Path(operation.path)
        where = path.name if verb == "sync_folder" else path.parent.name
        return operation.verb == verb and where == folder and not path.name.startswith(".probe")

    return picks


def _any(*picks: Callable[[disk.Operation], bool]) -> Callable[[disk.Operation], bool]:
    return lambda operation: any(pick(operation) for pick in picks)


def _is_probe(operation: disk.Operation) -> bool:
    return ".probe" in operation.path


async def _refused(log: SegmentAppender, body: bytes) -> None:
    with pytest.raises(LogUnavailable):
        await log.append(entry(body))


_FAILURES = [
    pytest.param(_is("create"), errno.ENOSPC, id="disk full before the segment is made"),
    pytest.param(_is("create"), errno.EACCES, id="folder unwritable"),
    pytest.param(_is("sync_folder"), errno.EIO, id="fsync of open/"),
    pytest.param(_is("write"), errno.ENOSPC, id="disk full"),
    pytest.param(_is("write"), errno.EIO, id="write"),
    pytest.param(_is("datasync"), errno.EIO, id="fdatasync"),
    pytest.param(_any(_is("write"), _is("truncate")), errno.EIO, id="write and the cut after it"),
    pytest.param(_any(_is("datasync"), _is("sync")), errno.EIO, id="fdatasync and the fsync after the cut"),
    pytest.param(_any(_is("datasync"), _is("rename")), errno.EIO, id="fdatasync and the rename to sealed/"),
    pytest.param(_any(_is("datasync"), _is("sync_folder", "sealed")), errno.EIO, id="fdatasync and fsync of sealed/"),
    pytest.param(lambda _: True, errno.EROFS, id="everything"),
]


@pytest.mark.parametrize("with_records_before", [False, True], ids=["first record", "later record"])
@pytest.mark.parametrize(("picks", "error"), _FAILURES)
async def test_a_refused_record_is_not_in_the_log_and_the_log_heals(
    tmp_path: Path, picks: Callable[[disk.Operation], bool], error: int, with_records_before: bool
) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    acknowledged = []
    if with_records_before:
        await log.append(entry(b"before"))
        acknowledged.append(b"before")
    refuses = Refuses(picks, error=error)

    with disk.observed(refuses):
        try:
            await log.append(entry(b"during"))
            acknowledged.append(b"during")
        except LogUnavailable:
            refuses.on = False
        refuses.on = False
        await until(lambda: log.healthy)
        await log.append(entry(b"behind"))
        acknowledged.append(b"behind")
        await log.close()

    assert bodies_in(tmp_path / "log") == acknowledged
    assert disk.entries(tmp_path / "log/open") == []
    segments = LocalSegments(tmp_path / "log").waiting()
    assert all(segment.records for segment in segments)


async def test_the_cut_is_done_and_durable_before_the_caller_is_answered(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry())
    refuses = Refuses(_is("datasync"))

    with disk.observed(refuses):
        with pytest.raises(LogUnavailable):
            await log.append(entry())
        done = refuses.verbs()
        await log.close()

    assert done[:3] == ["write open", "truncate open", "sync open"]


async def test_a_segment_that_a_write_failed_in_is_never_written_again(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(b"before"))
    refuses = Refuses(_is("write"))
    with disk.observed(refuses):
        await _refused(log, b"during")
        refuses.on = False
        await until(lambda: log.healthy)
        await log.append(entry(b"behind"))
        await log.close()

    (failed,) = {o.path for o in refuses.begun if o.verb == "truncate"}
    after = [o.verb for o in refuses.begun if o.path == failed]
    assert after[after.index("truncate") :] == ["truncate", "sync", "sync", "rename"]
    assert len(LocalSegments(tmp_path / "log").waiting()) == 2


async def test_two_writers_of_a_node_prove_the_disk_at_the_same_time(tmp_path: Path) -> None:
    class Meanwhile:
        """While one has just made its probe file, the other goes through all of its own."""

        def __init__(self) -> None:
            self.is_on = False

        def before(self, operation: disk.Operation) -> None:
            pass

        def after(self, operation: disk.Operation) -> None:
            if not self.is_on and _is_probe(operation) and operation.verb in ("create", "unlink"):
                self.is_on = True
                proves = threading.Thread(target=lambda: asyncio.run(_start_and_close(appender(tmp_path, index=1))))
                proves.start()
                proves.join(timeout=20)
                self.is_on = False

    first = appender(tmp_path, index=0)
    with structlog.testing.capture_logs() as messages, disk.observed(Meanwhile()):
        await first.start()

    assert first.healthy
    assert [message["event"] for message in messages if message["log_level"] == "error"] == []
    await first.close()


async def _start_and_close(writer: SegmentAppender) -> None:
    await writer.start()
    assert writer.healthy
    await writer.close()


async def test_a_new_segment_begins_only_when_a_probe_write_is_durable(tmp_path: Path) -> None:
    refuses = Refuses(_any(_is("write"), _is_probe), error=errno.ENOSPC)
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(refuses):
        await _refused(log, b"first")
        failures = refuses.refused
        await until(lambda: refuses.refused > failures + 1)
        created = [o.path for o in refuses.begun if o.verb == "create" and ".probe" not in o.path]
        assert len(created) == 1
        assert not log.healthy
        await _refused(log, b"second")

        refuses.on = False
        await until(lambda: log.healthy)
        await log.append(entry(b"third"))
        await log.close()

    assert bodies_in(tmp_path / "log") == [b"third"]


async def test_all_that_wait_are_refused_at_once(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", seal_size_bytes=2000)
    await log.start()
    with disk.observed(Refuses(_any(_is("write"), _is_probe))):
        answers = await asyncio.gather(*(log.append(entry(bytes(1000))) for _ in range(20)), return_exceptions=True)
        await log.close()

    assert {type(answer) for answer in answers} == {LogUnavailable}
    assert bodies_in(tmp_path / "log") == []


async def test_a_log_that_starts_on_a_refusing_disk_heals(tmp_path: Path) -> None:
    refuses = Refuses(lambda _: True, error=errno.EROFS)
    log = appender(tmp_path / "log")
    with disk.observed(refuses):
        await log.start()
        assert not log.healthy
        await _refused(log, b"early")
        assert not await log.seal()

        refuses.on = False
        await until(lambda: log.healthy)
        await log.append(entry(b"late"))
        await log.close()

    assert bodies_in(tmp_path / "log") == [b"late"]


async def test_a_seal_that_fails_keeps_the_acknowledged_records_and_is_done_later(tmp_path: Path) -> None:
    refuses = Refuses(_any(_is("rename"), _is_probe))
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(b"acknowledged"))
    with disk.observed(refuses):
        assert not await log.seal()
        assert not log.healthy
        await _refused(log, b"during")
        refuses.on = False
        await until(lambda: log.healthy)

    assert bodies_in(tmp_path / "log") == [b"acknowledged"]
    await log.close()


async def test_a_rename_that_was_done_but_reported_as_failed_is_not_done_twice(tmp_path: Path) -> None:
    class Lies(Recorder):
        lied = False

        def after(self, operation: disk.Operation) -> None:
            super().after(operation)
            if operation.verb == "rename" and not self.lied:
                self.lied = True
                LocalSegments(tmp_path / "log").done(LocalSegments(tmp_path / "log").waiting())
                raise OSError(errno.EIO, "Input/output error")

    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry())
    with disk.observed(Lies()):
        assert not await log.seal()
        await until(lambda: log.healthy)
    await log.close()

    assert disk.entries(tmp_path / "log/open") == []
    assert disk.entries(tmp_path / "log/sealed") == []


async def test_what_cannot_be_sealed_at_closing_is_left_to_recovery(tmp_path: Path) -> None:
    refuses = Refuses(_is("rename"))
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(b"acknowledged"))

    with disk.observed(refuses), structlog.testing.capture_logs() as messages:
        await log.close()

    assert [(m["log_level"], m["cause"]) for m in messages] == [("error", "seal")]
    assert len(disk.entries(tmp_path / "log/open")) == 1


async def test_a_cut_that_never_succeeds_leaves_whole_records_or_none(tmp_path: Path) -> None:
    refuses = Refuses(_any(_is("datasync"), _is("truncate"), _is_probe))
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(refuses):
        await _refused(log, b"refused")
        await log.close()
    log._writer._leaving._file.close()  # type: ignore[union-attr]  as the process's end does

    recover(tmp_path / "log")

    assert bodies_in(tmp_path / "log") in ([], [b"refused"])


async def test_too_little_space_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    recorder = Recorder()
    log = appender(tmp_path / "log", min_free_bytes=disk.free_bytes(tmp_path) * 2)
    with disk.observed(recorder):
        await log.start()
        await _refused(log, b"refused")
        await log.close()

    assert "write" not in {operation.verb for operation in recorder.begun}


async def test_a_disk_that_fills_up_is_refused_at_its_floor_and_the_open_segment_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = appender(tmp_path / "log", min_free_bytes=1000)
    await log.start()
    await log.append(entry(b"before"))
    recorder = Recorder()
    with disk.observed(recorder):
        monkeypatch.setattr(disk, "free_bytes", lambda _: 1050)
        await _refused(log, b"refused")
        assert "write" not in {operation.verb for operation in recorder.begun}
        await until(lambda: bodies_in(tmp_path / "log") == [b"before"])
        monkeypatch.undo()
        await until(lambda: log.healthy)
    await log.close()


async def test_a_full_log_is_refused_until_the_lake_has_taken_segments(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", max_log_bytes=500)
    await log.start()
    await log.append(entry(bytes(1000)))
    await log.seal()
    await _refused(log, b"refused")

    segments = LocalSegments(tmp_path / "log")
    segments.done(segments.waiting())
    await until(lambda: log.healthy)

    await log.append(entry(b"behind"))
    await log.close()
    assert bodies_in(tmp_path / "log") == [b"behind"]


async def test_the_operator_is_told_once_per_outage_not_once_per_request(tmp_path: Path) -> None:
    refuses = Refuses(_any(_is("write"), _is_probe), error=errno.ENOSPC)
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(refuses), structlog.testing.capture_logs() as messages:
        for _ in range(50):
            await _refused(log, b"body")
        await until(lambda: refuses.refused >= 4)
        refuses.on = False
        await until(lambda: log.healthy)
        await log.close()

    assert [(m["event"], m.get("cause")) for m in messages] == [
        ("log takes no events", "write"),
        ("log takes no events", "probe"),
        ("log takes events again", None),
    ]
    assert messages[0]["error"] == "write failed: No space left on device"
    assert messages[2]["refused_requests"] == 50


async def test_an_unexpected_error_is_answered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = appender(tmp_path / "log")
    await log.start()

    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(disk.File, "datasync", breaks)
    await _refused(log, b"refused")
    monkeypatch.undo()
    await until(lambda: log.healthy)
    await log.append(entry(b"behind"))
    await log.close()

    assert bodies_in(tmp_path / "log") == [b"behind"]


async def test_a_folder_for_sealed_segments_that_somebody_removes_is_made_again(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(b"before"))
    (tmp_path / "log/sealed").rmdir()
    await log.seal()
    await until(lambda: log.healthy, within_s=20)
    await log.append(entry(b"after"))
    await log.close()

    assert sorted(bodies_in(tmp_path / "log")) == [b"after", b"before"]


async def test_a_log_that_is_away_for_a_moment_keeps_its_segment(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(b"before"))
    (tmp_path / "log").rename(tmp_path / "away")
    await log.seal()
    with pytest.raises(LogUnavailable):
        await log.append(entry(b"meanwhile"))
    assert not (tmp_path / "log").exists()

    (tmp_path / "away").rename(tmp_path / "log")
    await until(lambda: log.healthy, within_s=20)
    await log.append(entry(b"after"))
    await log.close()

    assert sorted(bodies_in(tmp_path / "log")) == [b"after", b"before"]


async def test_nothing_is_written_to_another_folder_that_was_put_in_place_of_the_log(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    (tmp_path / "log").rename(tmp_path / "away")
    for folder in ("open", "sealed", "damaged"):
        (tmp_path / "log" / folder).mkdir(parents=True)

    with structlog.testing.capture_logs() as messages, pytest.raises(LogUnavailable):
        await log.append(entry(b"refused"))

    assert not log.healthy
    assert "not the folder that was there at the start" in messages[0]["error"]
    assert list((tmp_path / "log").rglob("*.*")) == []
    await log.close()
