"""`sluice flush`: what was acknowledged is in the lake, or what is missing is told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice import disk
from sluice.lake.query import connect
from sluice.supervisor.process_id import ProcessId, process_id
from sluice.supervisor.run_file import RunFile, write_run_file
from tests.support.command import InProcess, on_a_terminal, run, write_log

# Stands in for a running service: when it is asked to, it lets go of the segments named on its command line, as the
# lake writer does; of the others it doesn't.
_SERVICE = """
import pathlib, signal, sys
folder, *segments = sys.argv[1:]
def publish(*_):
    for segment in segments:
        for path in pathlib.Path(folder, "log").glob(f"*/{segment}*"):
            path.unlink(missing_ok=True)
signal.signal(signal.SIGUSR1, publish)
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def service_that_publishes(data_dir: Path) -> Iterator[Callable[..., ProcessId]]:
    started: list[subprocess.Popen[str]] = []

    def start(*segments: str) -> ProcessId:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVICE, str(data_dir), *segments], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        found = process_id(process.pid)
        assert found is not None
        write_run_file(data_dir, _run_file(found))
        return found

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _run_file(supervisor: ProcessId) -> RunFile:
    return RunFile(supervisor=supervisor, children={}, listen="", admin="127.0.0.1:1", sockets="/run")


def _rows(data_dir: Path) -> list[str]:
    with connect(data_dir) as connection:
        return [row[0] for row in connection.execute("SELECT user_id FROM events ORDER BY ALL").fetchall()]


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "open, as a killed worker leaves it"])
def test_without_a_service_it_does_the_work_itself(data_dir: Path, sealed: bool) -> None:
    write_log(data_dir, events=3, sealed=sealed)

    result = run("flush", "--data-dir", str(data_dir))

    assert (result.code, result.out) == (0, "")
    assert _rows(data_dir) == ["u0", "u1", "u2"]
    assert not [*(data_dir / "log" / "sealed").iterdir(), *(data_dir / "log" / "open").iterdir()]


def test_an_empty_folder_is_flushed_at_once(sluice: InProcess, data_dir: Path) -> None:
    assert sluice("flush", "--data-dir", str(data_dir)).code == 0


def test_without_a_service_segments_are_archived_when_the_setting_says_so(
    sluice: InProcess, data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "sluice.toml").write_text("archive = true")
    segment = write_log(data_dir, events=1)

    assert sluice("flush", "--data-dir", str(data_dir)).code == 0
    assert [path.name.partition(".")[0] for path in (data_dir / "log" / "archive").iterdir()] == [segment]


def test_a_running_service_is_asked_until_the_segments_of_the_call_are_gone(
    sluice: InProcess, data_dir: Path, service_that_publishes: Callable[..., ProcessId]
) -> None:
    opened = write_log(data_dir, events=1, sealed=False)
    sealed = write_log(data_dir, events=1)
    service_that_publishes(opened, sealed)

    assert sluice("flush", "--timeout", "20s", "--data-dir", str(data_dir)).code == 0


def test_what_is_missing_in_the_end_is_told_by_its_id(
    sluice: InProcess, data_dir: Path, service_that_publishes: Callable[..., ProcessId]
) -> None:
    first, second = (write_log(data_dir, events=1) for _ in range(2))
    service_that_publishes(second)

    result = sluice("flush", "--timeout", "600ms", "--data-dir", str(data_dir))

    assert result.code == 1
    assert result.err.startswith(f"error: 1 of 2 segments are not in the lake after 600ms:\n  {first}\n  hint: ")


def test_an_open_segment_without_a_record_is_not_waited_for(
    sluice: InProcess, data_dir: Path, service_that_publishes: Callable[..., ProcessId]
) -> None:
    opened = write_log(data_dir, events=1, sealed=False)
    (data_dir / "log" / "open" / opened).write_bytes(b"")
    service_that_publishes()

    assert sluice("flush", "--timeout", "5s", "--data-dir", str(data_dir)).code == 0


def test_what_could_not_be_read_is_not_in_the_lake_and_is_told(sluice: InProcess, data_dir: Path) -> None:
    segment = write_log(data_dir, events=3)
    [path] = (data_dir / "log" / "sealed").iterdir()
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)

    result = sluice("flush", "--data-dir", str(data_dir))

    assert result.code == 1
    assert f"error: parts of the log could not be read, and are not in the lake:\n  {segment}.0." in result.err
    assert _rows(data_dir) == ["u1", "u2"]


def test_a_run_file_that_a_killed_service_left_names_nobody(
    sluice: InProcess, data_dir: Path, service_that_publishes: Callable[..., ProcessId]
) -> None:
    write_log(data_dir, events=1)
    living = service_that_publishes()
    # The same id, but another process: it must not get the signal.
    write_run_file(data_dir, _run_file(ProcessId(pid=living.pid, started=living.started - 1)))

    assert sluice("flush", "--data-dir", str(data_dir)).code == 0
    assert _rows(data_dir) == ["u0"]
    assert process_id(living.pid) == living


def test_while_a_killed_services_processes_hold_the_folder_it_waits(sluice: InProcess, data_dir: Path) -> None:
    write_log(data_dir, events=1)
    lock = disk.lock_folder(data_dir)
    assert lock is not None
    try:
        assert sluice("flush", "--timeout", "300ms", "--data-dir", str(data_dir)).code == 1
    finally:
        os.close(lock)

    assert sluice("flush", "--data-dir", str(data_dir)).code == 0


def test_on_a_terminal_it_shows_how_far_it_is_and_ctrl_c_ends_it_without_a_traceback(data_dir: Path) -> None:
    write_log(data_dir, events=1)
    lock = disk.lock_folder(data_dir)
    assert lock is not None
    try:
        with on_a_terminal("flush", "--data-dir", str(data_dir)) as (process, terminal):
            terminal.wait_for("in the lake: 0 of 1 segments")
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=20)
            terminal.read_to_the_end()
    finally:
        os.close(lock)

    assert code == 130
    assert time.monotonic() - began < 10
    assert "Traceback" not in terminal.shown
