"""What is none of the log's, in any of its folders and under any name, stops nothing and is left as it is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from sluice.log.backlog import backlog
from sluice.log.follow import Follower
from sluice.log.ids import new_request_id
from sluice.log.inspect import list_segments, verify_segments
from sluice.log.locate import locate_record
from sluice.log.reader import LocalSegments
from sluice.log.recovery import recover
from sluice.log.segment import Folders, new_segment_id, probe_name
from tests.support.foreign import KINDS, NO_FILES, immutable, put_odd_names
from tests.support.log_records import appender, bodies_in, entry, frame_of, open_segment

_HOUR = "20260101T00"
_WHOLE = frame_of(b"one")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders(tmp_path / "log")
    folders.make()
    folders.archive.mkdir()
    return folders


def _names(folders: Folders) -> list[Path]:
    """A name of the log's own in each of its folders."""
    segment_id = new_segment_id(hour=_HOUR, node="n1")
    return [
        folders.open / segment_id,
        folders.sealed / f"{segment_id}.1.99999999999",
        folders.archive / f"{segment_id}.1.100",
        folders.damaged / f"{segment_id}.0.broken_payload",
        folders.damaged / f"{segment_id}.1.100.kills_the_writer",
    ]


@pytest.mark.parametrize("kind", list(NO_FILES))
async def test_what_only_has_a_segments_name_is_no_segment(folders: Folders, kind: str) -> None:
    names = _names(folders)
    for path in names:
        NO_FILES[kind](path)
    before = {path: os.lstat(path).st_ino for path in names}
    open_segment(folders.log, _WHOLE)

    with structlog.testing.capture_logs() as messages:
        report = recover(folders.log)
    writer = appender(folders.log, max_log_bytes=1_000_000)
    await writer.start()
    await writer.append(entry(b"two"))
    await writer.close()

    assert sorted(report.foreign) == sorted(str(path.relative_to(folders.log)) for path in names)
    assert [message["log_level"] for message in messages].count("warning") == len(names)
    assert bodies_in(folders.log) == [b"one", b"two"]
    assert len(backlog(folders)) == 2
    assert [segment.state.value for segment in list_segments(folders.log, now=0)] == ["sealed"] * 2
    assert list(verify_segments(folders.log)) == []
    assert locate_record(folders.log, new_request_id()) == []
    follower = Follower(folders.log)
    follower.begin()
    assert len(list(follower.past())) == 2
    follower.close()
    assert {path: os.lstat(path).st_ino for path in names} == before


@pytest.mark.parametrize("kind", list(KINDS))
async def test_no_writer_is_kept_from_its_probe(folders: Folders, kind: str) -> None:
    KINDS[kind](folders.open / probe_name("node_1"))

    recover(folders.log)
    writer = appender(folders.log)
    await writer.start()

    assert writer.healthy
    await writer.close()
    if kind == "a folder":
        assert (folders.open / f"{probe_name('node_1')}.foreign/thesis.txt").read_text() == "precious"


def test_files_of_odd_names_are_told_and_left(folders: Folders) -> None:
    for folder in (folders.open, folders.sealed, folders.archive, folders.damaged):
        put_odd_names(folder)
    before = sorted(path for path in folders.log.rglob("*"))

    report = recover(folders.log)

    assert len(report.foreign) == len(before) - 4
    assert sorted(path for path in folders.log.rglob("*")) == before
    assert LocalSegments(folders.log).waiting() == []
    assert list_segments(folders.log, now=0) == []


def test_what_is_staged_to_be_set_aside_is_the_logs_own(folders: Folders) -> None:
    segment_id = new_segment_id(hour=_HOUR, node="n1")
    stretch = f"{segment_id}.0.broken_payload"
    for name in (stretch, f"{stretch}.json", f"{segment_id}.1.100.id_taken.json"):
        (folders.damaged / f".{name}.new").write_bytes(b"half of")
    foreign = [folders.damaged / ".thesis.new", folders.damaged / ".new", folders.sealed / f".{segment_id}.1.100.new"]
    for path in foreign:
        path.write_bytes(b"mine")
    NO_FILES["a folder"](folders.damaged / f".{segment_id}.9.broken_payload.new")

    with structlog.testing.capture_logs() as messages:
        report = recover(folders.log)

    told = [*foreign, folders.damaged / f".{segment_id}.9.broken_payload.new"]
    assert sorted(report.foreign) == sorted(str(path.relative_to(folders.log)) for path in told)
    assert sorted(message["path"] for message in messages) == sorted(str(path) for path in told)


def test_a_living_writers_probe_is_its_own_though_it_comes_and_goes_between_any_two_looks(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = folders.open / probe_name("n1")

    def comes_or_goes(look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def looked(path: Any) -> Any:
            if Path(path) in (folders.open, probe):
                probe.unlink() if exists(probe) else probe.touch()
            return look(path)

        return looked

    exists = os.path.lexists
    for module, name in ((os, "listdir"), (os, "scandir"), (os.path, "lexists")):
        monkeypatch.setattr(module, name, comes_or_goes(getattr(module, name)))
    foreign = [recover(folders.log).foreign for _ in range(3)]
    monkeypatch.undo()

    assert foreign == [()] * 3
    assert set(folders.open.iterdir()) <= {probe}


def test_an_archive_that_is_no_folder_is_told_and_left(folders: Folders) -> None:
    folders.archive.rmdir()
    folders.archive.write_text("mine")

    assert recover(folders.log).foreign == ("archive",)
    assert list_segments(folders.log, now=0) == []
    assert list(verify_segments(folders.log)) == []


def test_a_file_of_garbage_with_an_open_segments_name_is_kept_to_the_byte(folders: Folders) -> None:
    garbage = bytes(range(1, 256)) * 40
    open_segment(folders.log, garbage)

    (sealed,) = recover(folders.log).sealed
    segments = LocalSegments(folders.log)
    segments.set_aside(sealed, list(segments.read(sealed)))  # type: ignore[arg-type]  # it holds no record

    (kept,) = [path for path in folders.damaged.iterdir() if path.suffix != ".json"]
    assert kept.read_bytes() == garbage


def test_an_immutable_segment_is_left_with_an_error_and_the_others_go_on(folders: Folders) -> None:
    stuck = open_segment(folders.log, _WHOLE + b"torn")
    open_segment(folders.log, frame_of(b"two"))

    with immutable(folders.open / stuck) as works:
        if not works:
            pytest.skip("this file system knows no immutable files")
        report = recover(folders.log)
        assert report.failed == (stuck,)
        assert bodies_in(folders.log) == [b"two"]

    assert recover(folders.log).failed == ()
    assert sorted(bodies_in(folders.log)) == [b"one", b"two"]


def test_a_segment_that_does_not_fit_into_memory_is_left_and_the_others_go_on(folders: Folders) -> None:
    huge = open_segment(folders.log, _WHOLE)
    os.truncate(folders.open / huge, 1 << 43)
    open_segment(folders.log, frame_of(b"two"))

    assert recover(folders.log).failed == (huge,)
    assert bodies_in(folders.log) == [b"two"]
