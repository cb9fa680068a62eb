"""What a process counts has its room on the disk beforehand, and goes on where its predecessor of that role stopped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import metering, telemetry
from tests.support.small_disks import filled, mounted

_COUNTS = """
import sys
from sluice import metering, telemetry
telemetry.configure(role="lake")
metering.tell_if_apart()
counted = metering.Counter("counted", "…", ["kind"])
ready = metering.Gauge("ready", "…", multiprocess_mode="livesum")
for kind in range(int(sys.argv[1])):
    counted.labels(f"a label as long as a few of them, number {kind}").inc()
ready.set(1)
"""


def _count(folder: Path, role: str, *, kinds: int = 1) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        telemetry.METRICS_FOLDER_VARIABLE: str(folder),
        telemetry.ROLE_VARIABLE: role,
        telemetry.MESSAGES_VARIABLE: "json",
    }
    return subprocess.run(
        [sys.executable, "-c", _COUNTS, str(kinds)], env=environment, capture_output=True, text=True, check=False
    )


def _gauge(folder: Path, name: str) -> float:
    lines = telemetry.render_metrics(folder).decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def test_a_successor_goes_on_counting_and_gauges_are_those_of_the_living(tmp_path: Path) -> None:
    for _ in range(3):
        assert _count(tmp_path, "worker-0").returncode == 0
    assert _count(tmp_path, "worker-1").returncode == 0
    assert _gauge(tmp_path, "ready") == 2
    metering.forget_gauges(tmp_path, "worker-0")

    assert telemetry.read_metrics(tmp_path).of("counted_total") == 4
    assert _gauge(tmp_path, "ready") == 1
    assert len(list(tmp_path.iterdir())) == 8


def test_all_room_is_taken_before_anything_is_counted(tmp_path: Path) -> None:
    metering.take_room(tmp_path, "lake")

    facts = [path.stat() for path in tmp_path.iterdir()]
    assert facts
    assert all(fact.st_blocks * 512 >= fact.st_size > 0 for fact in facts)


def test_a_process_that_was_given_room_counts_on_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", kind="tmpfs", mebibytes=1) as folder:
        metering.take_room(folder, "lake")
        with filled(folder):
            # Many pages of figures, each of which would have to be found on the disk.
            ended = _count(folder, "lake", kinds=100)

        assert (ended.returncode, ended.stderr) == (0, "")
        assert telemetry.read_metrics(folder).of("counted_total") == 100


def test_a_process_without_room_says_so_and_works_on(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", kind="tmpfs", mebibytes=1) as folder, filled(folder):
        ended = _count(folder, "lake", kinds=100)

        assert ended.returncode == 0
        [line] = ended.stderr.splitlines()
        assert "missing in /metrics" in line
        assert "No space left on device" in line
        assert telemetry.read_metrics(folder).of("counted_total") == 0


@pytest.mark.parametrize("role", ["worker-0", "worker-255", "lake", "supervisor"])
def test_a_roles_files_are_read_back(tmp_path: Path, role: str) -> None:
    assert _count(tmp_path, role).returncode == 0

    assert telemetry.read_metrics(tmp_path).of("counted_total") == 1
    assert _gauge(tmp_path, "ready") == 1
