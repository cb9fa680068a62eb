"""Disks that are really full, or read-only: file systems of some MiB that are mounted for these tests."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sluice import disk
from tests.support.ledger.ledger import Outcome
from tests.support.ledger.load import Load, assert_lake_has_what_was_told, load_on
from tests.support.processes import processes_with
from tests.support.service import SLUICE, Service
from tests.support.small_disks import filled, mounted, remount
from tests.support.told import Told
from tests.support.waiting import wait_until

_MIB = 1 << 20
_FLAGS = ("--workers", "1", "--seal-size", "1MiB", "--seal-age", "300ms", "--lake-age", "300ms", "--lake-size", "4MiB")
# An event that a test posts itself.
_FIRST = "first"


def _hold(service: Service, role: str) -> int:
    """Stop a process: it stands still, until SIGCONT."""
    pid = service.pid(role)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_log_that_fills_the_disk_to_its_floor_is_emptied_by_the_lake_alone(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", kind="ext4", mebibytes=40) as small,
        Service(small / "data", *_FLAGS, "--min-free", "10MiB") as service,
    ):
        told = Told(service)
        service.post(_FIRST)
        wait_until(lambda: _published(told), within_s=40, what="the lake writer is up")
        lake = _hold(service, "lake")
        journal = tmp_path / "attempts.tsv"
        with load_on(service, rest=3, text_bytes=12_000, journal=journal) as load:
            load.wait_for("503", "UNAVAILABLE", more=5, within_s=60)
            full = told.wait_for(level="error", cause="disk_floor")
            free_bytes = disk.free_bytes(small)
            os.kill(lake, signal.SIGCONT)
            after_s = load.wait_for("202", "OK", within_s=60)
            print(f"free at the floor: {free_bytes / _MIB:.1f} MiB; recovered {after_s:.1f} s after the lake")
        wait_until(lambda: told.messages(event="log takes events again"), what="it is told that it is over")
        assert_lake_has_what_was_told(service, load.ledger, besides={_FIRST})

        assert "free space on the disk" in full["hint"]
        assert told.counted("sluice_log_failures_total", cause="disk_floor") > 0
        # What is kept free is not for the log; a commit or two more may have been on their way.
        assert 8 * _MIB <= free_bytes <= 11 * _MIB
        assert told.messages(level="error", room="lake") == []


def test_a_disk_that_is_full_to_the_last_byte_is_503_until_somebody_frees_some(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", kind="tmpfs", mebibytes=16) as small,
        Service(small / "data", *_FLAGS, "--min-free", "0B") as service,
    ):
        told = Told(service)
        service.pid("lake")
        with load_on(service, text_bytes=12_000, journal=tmp_path / "attempts.tsv") as load:
            with filled(small, but_bytes=_MIB):
                load.wait_for("503", "UNAVAILABLE", more=10, within_s=60)
                log = told.wait_for(level="error", event="log takes no events")
                lake = told.wait_for(level="error", event="nothing is published now", within_s=60)
                wait_until(lambda: not service.is_ready(), what="it is not ready")
                counted = len(told.messages(level="error"))
            after_s = load.wait_for("202", "OK", within_s=60)
            print(f"recovered after {after_s:.1f} s")
        told.wait_for(level="warning", event="segments are published again", within_s=40)
        assert_lake_has_what_was_told(service, load.ledger)

        assert log["cause"] in {"disk_floor", "create", "write"}
        assert "No space left on device" in lake["error"]
        assert counted < 20


def test_a_full_disk_is_told_by_readyz_though_nobody_posts_and_so_is_that_it_has_room_again(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", kind="tmpfs", mebibytes=16) as small,
        Service(small / "data", *_FLAGS, "--min-free", "1MiB") as service,
    ):
        told = Told(service)
        with filled(small):
            wait_until(lambda: not service.is_ready(), what="it is not ready")
            wait_until(lambda: service.readyz()["log_causes"] == ["disk_floor"], what="it says why")
            assert _reasons(service) == ["log_unwritable"]
            wait_until(lambda: service.readyz()["workers_healthy"] == 0, what="Envoy has seen it")
            assert [service.post("e").status_code for _ in range(3)] == [503] * 3
            wait_until(lambda: told.counted("sluice_requests_turned_away_total") == 3, what="they are counted")
        wait_until(service.is_ready, within_s=30, what="it is ready when there is room")

        assert told.counted("sluice_requests_refused_total") == 0
        [error] = told.messages(level="error", event="log takes no events")
        assert error["cause"] == "disk_floor"
        assert service.post("after").status_code == 202


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apart:
    """A service that serves load; its log, its lake and its temporary folder each have a disk of their own."""

    service: Service
    load: Load
    log: Path
    lake: Path
    temporary: Path


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Apart]:
    """One service for all of its faults; at the end its lake has what the ledger says."""
    folder = tmp_path_factory.mktemp("apart")
    data = folder / "data"
    with (
        mounted(data / "log", kind="tmpfs", mebibytes=32) as log,
        mounted(data / "lake", kind="tmpfs", mebibytes=16) as lake,
        mounted(folder / "t", kind="tmpfs", mebibytes=4) as temporary,
        Service(data, *_FLAGS, "--min-free", "1MiB", environment={"TMPDIR": str(temporary)}) as service,
    ):
        with load_on(service, rest=1) as load:
            yield _Apart(service=service, load=load, log=log, lake=lake, temporary=temporary)
        assert_lake_has_what_was_told(service, load.ledger)


def test_a_log_and_a_lake_on_disks_of_their_own_fail_each_for_itself(apart: _Apart) -> None:
    service, load = apart.service, apart.load
    told = Told(service)
    with filled(apart.lake):
        full = told.wait_for(level="error", event="nothing is published now", within_s=40)
        load.wait_for("202", "OK", more=10)
        assert service.is_ready()
    told.wait_for(level="warning", event="segments are published again")
    wait_until(lambda: _is_read_only(apart.lake), within_s=30, what="the lake can be made read-only")
    wait_until(lambda: "Read-only" in _last_error(told), within_s=40, what="the lake writer tells it")
    load.wait_for("202", "OK", more=10)
    assert not load.ledger.classes()[Outcome.FAILED]
    remount(apart.lake, "rw")
    wait_until(lambda: len(told.messages(event="segments are published again")) >= 2, what="it goes on")
    wait_until(lambda: _is_read_only(apart.log), within_s=30, what="the log can be made read-only")
    load.wait_for("503", "UNAVAILABLE", more=5)
    unwritable = told.wait_for(level="error", event="log takes no events")
    remount(apart.log, "rw")
    after_s = load.wait_for("202", "OK", within_s=30)
    told.wait_for(level="warning", event="log takes events again")
    print(f"the log recovered after {after_s:.1f} s")

    assert "No space left on device" in full["error"]
    assert unwritable["error"].endswith("Read-only file system")
    assert len(told.messages(level="error")) <= 8


def test_a_full_temporary_folder_ends_no_process_and_holds_up_no_client(apart: _Apart) -> None:
    service, load = apart.service, apart.load
    service.pid("lake")
    told = Told(service)
    with filled(apart.temporary):
        killed = [service.kill(role) for role in ("worker-0", "lake", "envoy")]
        load.wait_for("202", "OK", more=10, within_s=60)
        wait_until(lambda: _published(told), within_s=40, what="the lake writer's successor publishes")
        # Its figures have their room: those of the processes before went on.
        assert told.counted("sluice_lake_rows_total") > 0
        assert told.counted("sluice_child_ends_total") == len(killed)

    assert told.messages(level="error") == []


def _last_error(told: Told) -> str:
    return str(told.messages(level="error")[-1]["error"])


def _is_read_only(at: Path) -> bool:
    """Make it so; that can't be done as long as a file there is open to be written."""
    return subprocess.run(["mount", "-o", "remount,ro", str(at)], capture_output=True, check=False).returncode == 0


def test_a_service_that_starts_on_a_full_disk_says_why_it_is_not_ready_and_becomes_so(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", kind="tmpfs", mebibytes=16) as small:
        service = Service(small / "data", *_FLAGS, "--min-free", "1MiB")
        service.start()
        assert service.post("before", "before").status_code == 202
        # Its segment stays below open/: what the next start finds, on a full disk.
        left = [_hold(service, role) for role in ("lake", "worker-0")]
        service.kill("supervisor")
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        try:
            with filled(small, but_bytes=64 * 1024):
                service.start(until_ready=False)
                wait_until(lambda: "log_unwritable" in _reasons(service), within_s=60, what="it says what is missing")
                told = [json.loads(line) for line in service.messages().splitlines() if '"log takes no events"' in line]
                assert [message["cause"] for message in told] == ["disk_floor"]
            wait_until(service.is_ready, within_s=30, what="it is ready when there is room")
            assert service.post("after", "after").status_code == 202
            service.flush()
            found = service.rows("select event_name, count(*) from events group by 1 order by 1")
            assert found == [("after", 2), ("before", 2)]
        finally:
            service.stop()


def test_a_first_start_on_a_full_disk_is_refused_in_plain_words_and_leaves_only_the_file_it_had_no_room_for(
    tmp_path: Path,
) -> None:
    run_folders = tmp_path / "t"
    run_folders.mkdir()
    environment = {**os.environ, "TMPDIR": str(run_folders)}
    with mounted(tmp_path / "disk", kind="tmpfs", mebibytes=1) as small, filled(small):
        command = [SLUICE, "up", "--data-dir", str(small / "data"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        left = {path.name for path in (small / "data").rglob("*")}

    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert "No space left on device" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert left <= {".keys.json.new", ".keys.lock"}
    assert list(run_folders.iterdir()) == []
    assert processes_with(f"TMPDIR={run_folders}") == {}


def _published(told: Told) -> bool:
    return bool(told.messages(role="lake", event="file published"))


def _reasons(service: Service) -> list[str]:
    try:
        reasons: list[str] = service.readyz()["reasons"]
    except (AssertionError, httpx.HTTPError):
        return []
    return reasons
