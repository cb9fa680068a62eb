"""`sluice status`: the service, if there is one, and the folder."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import disk
from sluice.log.refused import refused_log
from sluice.supervisor.admin import AdminServer, Snapshot
from sluice.supervisor.health import Health
from sluice.supervisor.process_id import ProcessId, process_id
from sluice.supervisor.readiness import Facts
from sluice.supervisor.run_file import RunFile, write_run_file
from tests.support.command import InProcess, write_log
from tests.support.log_records import sealed_segment

_METRICS = b"""# TYPE sluice_events_accepted_total counter
sluice_events_accepted_total{source="sdk"} 40.0
sluice_events_accepted_total{source="grpc"} 2.0
# TYPE sluice_requests_accepted_total counter
sluice_requests_accepted_total{source="sdk"} 7.0
# TYPE sluice_requests_refused_total counter
sluice_requests_refused_total{reason="invalid"} 3.0
sluice_requests_refused_total{reason="key_unknown"} 1.0
# TYPE sluice_requests_turned_away_total counter
sluice_requests_turned_away_total 5.0
"""


@pytest.fixture
def admin(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminServer]:
    """The admin port of a service that this process stands for."""
    monkeypatch.setattr("sluice.telemetry.render_metrics", lambda _folder: _METRICS)
    server = AdminServer("127.0.0.1", 0, metrics=tmp_path)
    _write_run_file(data_dir, admin=f"127.0.0.1:{server.address[1]}")
    yield server
    server.close()


def _write_run_file(
    data_dir: Path, *, admin: str, supervisor: ProcessId | None = None, listen: str = "127.0.0.1:8080", edge: str = ""
) -> None:
    living = process_id(os.getpid())
    assert living is not None
    run = RunFile(
        supervisor=supervisor or living,
        children={},
        listen=listen,
        admin=admin,
        sockets="/run",
        edge=edge or "embedded",
    )
    write_run_file(data_dir, run)


def _become_ready(admin: AdminServer) -> None:
    facts = Facts(recovered=True, edge_listens=True, workers=(Health.SERVING,), workers_healthy=1)
    admin.snapshot = Snapshot(facts=facts)


def test_a_ready_service_tells_its_counts_and_ends_with_0(
    sluice: InProcess, data_dir: Path, admin: AdminServer
) -> None:
    _become_ready(admin)

    result = sluice("status", "--json", "--data-dir", str(data_dir))

    assert result.code == 0
    told = json.loads(result.out)
    assert (told["ready"], told["reasons"], told["pid"]) == (True, [], os.getpid())
    assert (told["events_accepted"], told["requests_accepted"]) == (42, 7)
    assert told["refused"] == {"invalid": 3, "key_unknown": 1}
    assert told["turned_away"] == 5
    assert (told["listen"], told["workers_healthy"]) == ("127.0.0.1:8080", 1)


def test_a_service_that_is_not_ready_tells_why_and_ends_with_1(
    sluice: InProcess, data_dir: Path, admin: AdminServer
) -> None:
    admin.snapshot = Snapshot(facts=Facts(recovered=True, workers=(Health.NOT_SERVING,)))

    result = sluice("status", "--data-dir", str(data_dir))

    assert result.code == 1
    assert result.out.splitlines()[0] == "state              not ready: edge not listening, log unwritable"
    assert "turned away        5 requests, by Envoy with 503 while it saw no healthy worker" in result.out.splitlines()


def test_without_a_service_the_folder_tells_what_it_can(sluice: InProcess, data_dir: Path) -> None:
    write_log(data_dir, events=2)
    size = next((data_dir / "log" / "sealed").iterdir()).stat().st_size

    result = sluice("status", "--json", "--data-dir", str(data_dir))

    assert result.code == 1
    told = json.loads(result.out)
    assert (told["reasons"], told["pid"], told["events_accepted"]) == (["not_running"], None, None)
    assert (told["waiting_segments"], told["waiting_bytes"], told["rows_in_lake"]) == (1, size, 0)
    assert told["oldest_waiting_s"] < 60
    assert told["disk_free_bytes"] > 0


def test_rows_in_the_lake_are_counted(sluice: InProcess, data_dir: Path) -> None:
    write_log(data_dir, events=2)
    assert sluice("flush", "--data-dir", str(data_dir)).code == 0

    assert "rows in the lake   2\n" in sluice("status", "--data-dir", str(data_dir)).out


def test_what_was_set_aside_as_damaged_is_counted_with_its_place_and_what_to_do(
    sluice: InProcess, data_dir: Path
) -> None:
    there = ("--data-dir", str(data_dir))
    assert "damaged" not in sluice("status", *there).out
    assert json.loads(sluice("status", "--json", *there).out)["damaged"] == {}
    write_log(data_dir, events=2)
    write_log(data_dir, events=2)
    sealed_segment(refused_log(data_dir), b"no record", records=1)
    for path in (data_dir / "log" / "sealed").iterdir():
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    assert sluice("flush", *there).code == 1

    words = sluice("status", *there).out
    told = json.loads(sluice("status", "--json", *there).out)

    places = {f"{data_dir}/log/damaged": 2, f"{data_dir}/log/refused/damaged": 1}
    for place, count in places.items():
        assert f"damaged            {count} in {place}, set aside from the log\n" in words
    assert "see                which, and why: sluice log list; whether the rest is whole: sluice log verify\n" in words
    assert told["damaged"] == places


def test_a_service_that_was_killed_is_not_running(sluice: InProcess, data_dir: Path) -> None:
    _write_run_file(data_dir, admin="127.0.0.1:1", supervisor=ProcessId(pid=os.getpid(), started=1))

    assert "not ready: not running" in sluice("status", "--data-dir", str(data_dir)).out


def test_a_service_that_could_not_write_its_run_file_is_told_of(sluice: InProcess, data_dir: Path) -> None:
    held = disk.lock_folder(data_dir, inheritable=False)
    assert held is not None
    try:
        result = sluice("status", "--data-dir", str(data_dir))
    finally:
        os.close(held)

    assert "not ready: run file missing" in result.out
    assert "no run.json there: it is starting, or can't write it" in result.err


def test_an_admin_port_that_does_not_answer_is_told(sluice: InProcess, data_dir: Path) -> None:
    _write_run_file(data_dir, admin="127.0.0.1:1")

    result = sluice("status", "--data-dir", str(data_dir))

    assert result.code == 1
    assert "not ready: admin unreachable" in result.out
    assert "http://127.0.0.1:1/readyz" in result.err


def test_a_service_that_has_no_admin_port_yet_is_told(sluice: InProcess, data_dir: Path) -> None:
    _write_run_file(data_dir, admin="")

    result = sluice("status", "--data-dir", str(data_dir))

    assert result.code == 1
    assert "not ready: admin unreachable" in result.out


@pytest.mark.parametrize(
    ("edge", "told"), [("embedded", "nothing yet"), ("external", "what an external Envoy listens on")]
)
def test_a_service_that_listens_on_nothing_itself_tells_why(
    sluice: InProcess, data_dir: Path, edge: str, told: str
) -> None:
    _write_run_file(data_dir, admin="", listen="", edge=edge)

    assert f"listens on         {told}\n" in sluice("status", "--data-dir", str(data_dir)).out
