"""A real service starts on a data folder full of what is not its own, and serves as if nothing were there."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.log.segment import Folders, hour_of, new_segment_id, node_name, probe_name
from sluice.settings.model import Settings
from sluice.settings.stages import worker_config
from tests.support.damage import CONTENT, OFFSETS, sealed_as
from tests.support.foreign import NO_FILES, put_odd_names
from tests.support.service import Service


class _Service(Service):
    """Its first keys have nowhere to go."""

    key = ""
    # Inodes of what is not its own, by path.
    foreign: dict[Path, int]


def _probe_name() -> str:
    config = worker_config(Settings(), index=0, socket="", lifeline_fd=None, drain_timeout_s=1.0)
    return probe_name(node_name(config.node), config.index)


def _fill(data_dir: Path) -> None:
    """Put everything into all folders at once."""
    folders = Folders(data_dir / "log")
    folders.make()
    lake = data_dir / "lake"
    hour_us = int(time.time() * 1e6)
    now = lake / f"events/received_date={time.strftime('%Y-%m-%d', time.gmtime())}"
    old = lake / "events/received_date=2026-01-01/received_hour=00"
    staging = lake / ".staging"
    for folder in (folders.archive, now, old, staging):
        folder.mkdir(parents=True)
    for kind, make in NO_FILES.items():
        segment_id = new_segment_id(hour=hour_of(hour_us), node="n1")
        make(folders.open / segment_id)
        make(folders.sealed / f"{segment_id}.1.100")
        make(folders.archive / f"{segment_id}.1.100")
        make(folders.damaged / f"{segment_id}.0.broken_length")
        make(folders.damaged / f"{segment_id}.0.broken_payload.json")
        make(staging / f"{kind}.parquet")
    for kind in ("a folder", "a pipe", "a socket"):
        NO_FILES[kind](old / f"{kind}.parquet")
    of_log = (folders.log, folders.open, folders.sealed, folders.archive, folders.damaged)
    for folder in (data_dir, *of_log, lake, staging, lake / "events", now, old):
        put_odd_names(folder)
    NO_FILES["a folder"](folders.open / _probe_name())
    NO_FILES["a folder"](staging / "current.json")
    (data_dir / "first-keys").mkdir()
    (lake / "events/received_date=2026-01-02").write_text("mine")


def _put_its_own(data_dir: Path) -> None:
    """What it takes over: two segments that hold something, and a run.json."""
    folders = Folders(data_dir / "log")
    # It names a live process, which is none of this service's.
    alive = {"pid": os.getpid(), "started": 1}
    (data_dir / "run.json").write_text(json.dumps({"supervisor": alive, "children": {"lake": alive, "envoy": alive}}))
    damaged = bytearray(CONTENT)
    damaged[OFFSETS[3] + 40] ^= 1
    segment = sealed_as()
    (folders.sealed / f"{segment.id}.20.{len(CONTENT)}").write_bytes(damaged)
    hour = hour_of(int(time.time() * 1e6))
    (folders.open / new_segment_id(hour=hour, node="n1")).write_bytes(b"not a segment at all")


def _inodes(folder: Path) -> dict[Path, int]:
    """Of all that lies there, by path; links are not followed."""
    return {
        Path(where) / name: (Path(where) / name).lstat().st_ino
        for where, folders, files in os.walk(folder)
        for name in (*folders, *files)
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Service]:
    service = _Service(tmp_path_factory.mktemp("foreign") / "data", "--workers", "1", "--archive", "on")
    service.data_dir.mkdir()
    service.key = service.command("keys", "create", "--kind", "server").strip()
    own = set(_inodes(service.data_dir))
    _fill(service.data_dir)
    service.foreign = {path: inode for path, inode in _inodes(service.data_dir).items() if path not in own}
    _put_its_own(service.data_dir)
    with service:
        yield service


def test_it_serves_publishes_and_tells_of_what_is_damaged(service: _Service) -> None:
    answer = service.post("bought", key=service.key)
    flushed = service.try_command("flush")
    again = service.try_command("flush")
    verified = service.try_command("log", "verify")
    listed = json.loads(service.command("log", "list", "--json"))
    traced = json.loads(service.command("trace", "--json", answer.headers["x-request-id"]))

    assert answer.status_code == 202
    assert (flushed.returncode, again.returncode, verified.returncode) == (1, 0, 0)
    assert "could not be read" in flushed.stderr
    assert {each["reason"] for each in listed if each["state"] == "damaged"} == {"broken_payload", "broken_length"}
    assert traced["state"] == "published"
    rows = service.rows("select count(distinct request_id), count(*) filter (event_name = 'bought') from events")
    assert rows == [(20, 1)]


def test_every_other_command_works(service: _Service) -> None:
    status = service.status()

    assert (status["ready"], status["waiting_segments"]) == (True, 0)
    assert "request" in service.command("status")
    assert service.command("query", "--format", "csv", "select 1 as n") == "n\n1\n"
    assert service.try_command("tail", "--no-follow").returncode == 0
    assert json.loads(service.command("log", "dump", "--json"))
    assert "key_" in service.command("keys", "list")


def test_a_broken_file_of_the_lake_is_named_and_its_removal_mends_it(service: _Service) -> None:
    broken = service.data_dir / "lake/events/received_date=2026-01-01/received_hour=00/broken.parquet"
    broken.write_bytes(b"PAR1 broken PAR1")
    failed = service.try_command("query", "from events")
    status = service.try_command("status")

    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {broken}: no Parquet file")
    assert service.command("query", "--format", "csv", "select 1 as n") == "n\n1\n"
    assert status.returncode == 0
    assert "the lake can't be read" in status.stderr
    broken.unlink()
    assert service.try_command("query", "from events limit 1").returncode == 0


def test_each_foreign_thing_is_told_once_and_is_still_there(service: _Service) -> None:
    folders, staging = Folders(service.data_dir / "log"), service.data_dir / "lake/.staging"
    of_log = {folders.open, folders.sealed, folders.archive, folders.damaged}
    in_the_way = {folders.open / _probe_name(), staging / "a folder.parquet", staging / "current.json"}
    events = [json.loads(line) for line in service.messages().splitlines()]
    told = [event for event in events if event["event"].startswith("what is not the ")]
    moved = {Path(event["path"]): Path(event["path"]).with_name(event["to"]) for event in told if "to" in event}

    def is_now(path: Path) -> Path:
        aside = next((old for old in moved if old in (path, *path.parents)), None)
        return path if aside is None else moved[aside] / path.relative_to(aside)

    assert sorted(event["path"] for event in told) == sorted(
        str(path) for path in service.foreign if path.parent in of_log or path in in_the_way
    )
    assert moved.keys() == in_the_way
    # What else lies in .staging is what a lake writer left, and is removed.
    kept = [path for path in service.foreign if staging not in path.parents or is_now(path) != path]
    now = _inodes(service.data_dir)
    assert {path: now.get(is_now(path)) for path in kept} == {path: service.foreign[path] for path in kept}
    assert {is_now(path).read_text() for path in kept if path.name == "thesis.txt"} == {"precious"}


def test_it_drains_and_starts_again(service: _Service) -> None:
    assert service.stop() == 0
    service.start()
    assert service.post("sold", key=service.key).status_code == 202
    service.flush()
