"""What a start may find that an earlier one left, or a person: other workers, orphans, segments that came back."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.supervisor.process_id import ProcessId, process_id
from sluice.supervisor.run_file import read_run_file, write_run_file
from tests.support.bystander import bystander
from tests.support.disk_faults import ClockShift
from tests.support.service import SLUICE, Service
from tests.support.waiting import wait_until


def _names_in(service: Service) -> list[str]:
    return [name for (name,) in service.rows("select event_name from events order by 1")]


def test_a_start_with_fewer_workers_takes_up_what_the_others_left_and_ends_no_process_but_orphans(
    tmp_path: Path,
) -> None:
    before = Service(tmp_path / "data", "--workers", "3", "--seal-age", "1h")
    before.start()
    before.wait_until_all_workers_get_requests(3)
    names = [f"event-{number:02}" for number in range(30)]
    assert {before.post(name).status_code for name in names} == {202}
    assert len(list((tmp_path / "data/log/open").glob("2*"))) == 3
    envoy, sockets = before.pid("envoy"), Path(before.run_file.sockets)
    os.kill(envoy, signal.SIGSTOP)
    before.kill("supervisor")

    with bystander() as orphan, bystander() as stranger:
        left = read_run_file(tmp_path / "data")
        assert left is not None
        # As one that outlived its supervisor; and as one that has come to an orphan's id since.
        children = {"envoy": orphan, "worker-2": ProcessId(pid=stranger.pid, started=stranger.started - 1)}
        write_run_file(tmp_path / "data", replace(left, children=left.children | children))
        with Service(tmp_path / "data", "--workers", "1") as service:
            service.flush()

            assert _names_in(service) == names
            assert process_id(envoy) is None
            assert process_id(orphan.pid) != orphan
            assert process_id(stranger.pid) == stranger
            assert not sockets.exists()
            assert set(service.run_file.children) == {"envoy", "lake", "worker-0"}


def test_a_copy_of_a_running_services_folder_ends_none_of_its_processes(tmp_path: Path) -> None:
    with Service(tmp_path / "data", "--workers", "1") as service:
        children = dict(service.run_file.children)
        shutil.copytree(tmp_path / "data", tmp_path / "copy/data")
        with Service(tmp_path / "copy/data", "--workers", "1") as copy:
            assert copy.post("of the copy").status_code == 202
            assert service.post("of the first").status_code == 202
            assert {role: process_id(child.pid) for role, child in children.items()} == children
            copy.flush()

            assert _names_in(copy) == ["of the copy"]


def test_a_segment_that_comes_back_is_not_published_again_unless_its_files_are_gone(tmp_path: Path) -> None:
    log = tmp_path / "data/log"
    with Service(tmp_path / "data", "--workers", "1", "--archive", "on", "--lake-age", "200ms") as service:
        service.post("once", "and", "twice")
        service.flush()
        [archived] = (log / "archive").iterdir()
        back, opened = log / "sealed" / archived.name, log / "open" / archived.name.partition(".")[0]

        shutil.copy(archived, back)
        wait_until(lambda: not back.exists(), within_s=20, what="it is let go while the service runs")
        assert len(_names_in(service)) == 3

        assert service.stop() == 0
        shutil.copy(archived, back)
        shutil.copy(archived, opened)
        service.start()
        wait_until(lambda: not back.exists(), within_s=20, what="it is let go after a start")
        assert not opened.exists()
        assert len(_names_in(service)) == 3

        assert service.stop() == 0
        [file] = (tmp_path / "data/lake/events").glob("*/*/*.parquet")
        file.rename(tmp_path / file.name)
        shutil.copy(archived, back)
        service.start()
        service.flush()
        assert len(_names_in(service)) == 3


@pytest.fixture
def bind_mount(tmp_path: Path) -> Iterator[Path]:
    """Another path of tmp_path/data, if this machine lets us mount one; else a symbolic link."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "mounted"
    path.mkdir()
    done = subprocess.run(["mount", "--bind", tmp_path / "data", path], capture_output=True, check=False)
    if done.returncode:
        path.rmdir()
        path.symlink_to("data")
        print("no bind mount here: a symbolic link stands in for it")
    yield path
    if not done.returncode:
        subprocess.run(["umount", path], check=True)


def test_of_services_that_start_at_once_on_one_folder_exactly_one_serves(tmp_path: Path, bind_mount: Path) -> None:
    (tmp_path / "link").symlink_to("data")
    paths = [tmp_path / "data", tmp_path / "link", bind_mount, tmp_path / "data/../data"]
    ports = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    processes: list[subprocess.Popen[bytes]] = []
    for number, path in enumerate(paths):
        with (tmp_path / f"messages-{number}").open("wb") as messages:
            command = [SLUICE, "up", "--workers", "1", "--data-dir", path, *ports]
            processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages))
    try:

        def running() -> list[int]:
            return [number for number, process in enumerate(processes) if process.poll() is None]

        wait_until(lambda: len(running()) <= 1, within_s=60, what="all but one have ended")
        [winner] = running()
        run = wait_until(lambda: read_run_file(tmp_path / "data"), within_s=30, what="the winner tells where it is")

        assert run.supervisor.pid == processes[winner].pid
        for number, process in enumerate(processes):
            if number != winner:
                assert process.returncode == 1
                assert "in use by another service" in (tmp_path / f"messages-{number}").read_text()
    finally:
        for process in processes:
            process.terminate()
        codes = [process.wait(60) for process in processes]
    assert codes[winner] == 0


def test_a_clock_that_was_a_day_ahead_and_then_a_day_behind_loses_and_doubles_nothing(tmp_path: Path) -> None:
    day_s = 86400
    clock = ClockShift(tmp_path)
    clock.set(day_s)
    service = Service(tmp_path / "data", "--workers", "1", "--seal-age", "1h", environment=clock.environment)
    service.start()
    service.post("tomorrow")
    service.kill("supervisor")

    clock.set(0)
    with service:
        service.post("today")
        assert service.status()["waiting_segments"] >= 1
        clock.set(-day_s)
        service.post("yesterday")
        service.flush()

        rows = service.rows("select event_name, received_date, request_id from events order by received_at")
        dates = [time.strftime("%Y-%m-%d", time.gmtime(time.time() + shift)) for shift in (-day_s, 0, day_s)]
        assert [(name, str(date)) for name, date, _ in rows] == list(
            zip(["yesterday", "today", "tomorrow"], dates, strict=True)
        )
        assert len({request_id for *_, request_id in rows}) == 3
