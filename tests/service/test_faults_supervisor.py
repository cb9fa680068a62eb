"""What the supervisor itself can't do holds up nobody: it is tried again, and clients are served."""

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.disk_faults import DiskFaults, Rule
from tests.support.service import Service
from tests.support.told import Told
from tests.support.waiting import wait_until

_FLAGS = ("--workers", "1", "--seal-age", "100ms", "--lake-age", "100ms")


def _errors(service: Service) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.messages().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("level") == "error"]


def test_a_lake_writer_that_cannot_be_started_at_first_is_tried_again_while_clients_are_served(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    faults.set(
        Rule("fork", role="supervisor", verb="start", path="*sluice.lake.writer*", action="error", errno=errno.EAGAIN)
    )
    with Service(tmp_path / "data", *_FLAGS, environment=faults.environment) as service:
        supervisor = service.run_file.supervisor
        wait_until(lambda: len(faults.fired()) > 2, what="it is tried again")
        assert service.post("early").status_code == 202
        assert service.is_ready()
        faults.set()
        service.flush()

        assert service.rows("select event_name from events") == [("early",)]
        assert service.run_file.supervisor == supervisor
        [error] = _errors(service)
        assert (error["event"], error["cause"]) == ("child can't be started, and is tried again", "EAGAIN")


def test_while_the_disk_hangs_the_supervisor_tells_how_the_service_is_and_starts_anew_what_ends(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    with Service(tmp_path / "data", "--workers", "1", environment=faults.environment) as service:
        lake, worker = service.pid("lake"), service.pid("worker-0")
        told = Told(service)
        faults.set(
            Rule("data", role="worker-0", verb="datasync", path="*/log/open/*", action="hang"),
            Rule("look", role="supervisor", verb="list", path="*/log/*", action="hang"),
            Rule("facts", role="supervisor", verb="stat", path="*/log/*", action="hang"),
            Rule("run.json", role="supervisor", verb="create", path="*/.run.json.new", action="hang"),
            Rule("in hand", role="supervisor", verb="read", path="*/current.json", action="hang"),
        )
        wait_until(lambda: faults.fired("look"), what="the supervisor's look hangs")
        assert service.post("given up").status_code == 503
        wait_until(lambda: service.readyz()["log_causes"] == ["stall"], within_s=15, what="/readyz says stall")
        assert service.readyz()["reasons"] == ["log_unwritable"]
        os.kill(worker, signal.SIGKILL)
        told.wait_for(event="child started again", child="worker-0")
        os.kill(lake, signal.SIGKILL)
        wait_until(lambda: faults.fired("in hand"), what="it is asked what the lake writer had in hand")
        looked_s_ago = service.readyz()["lake"]["looked_s_ago"]
        assert httpx.get(f"http://{service.admin}/livez", timeout=5).status_code == 200
        told.wait_for(level="error", event="the log can't be looked at", cause="stall")
        assert told.messages(event="child started again", child="lake") == []
        faults.set()
        told.wait_for(event="child started again", child="lake")
        told.wait_for(level="warning", event="the log can be looked at again")
        wait_until(lambda: service.is_ready() and service.pid("worker-0") != worker, what="run.json names who runs")
        assert service.post("taken").status_code == 202
        service.flush()

        # It is as old as the post that waited for 5 s.
        assert looked_s_ago > 5
        assert ("taken",) in service.rows("select event_name from events")
        assert told.counted("sluice_supervisor_failures_total", cause="log_unlisted") == 1


def test_a_segment_that_cannot_be_recovered_holds_up_no_stop_and_is_taken_up_by_the_next_start(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    with Service(tmp_path / "data", "--workers", "1", environment=faults.environment) as service:
        faults.set(
            Rule("seal", role="supervisor", verb="rename", path="*/log/sealed/*", action="error", errno=errno.EIO),
            Rule("dies", role="worker-0", verb="datasync", path="*/log/open/*", phase="after", times=1),
        )
        service.post("unanswered")
        wait_until(lambda: [error["event"] for error in _errors(service)], within_s=20, what="recovery has failed")
        began = time.monotonic()
        code = service.stop()
        took_s = time.monotonic() - began
        faults.set()
        service.start()
        service.flush()

        # The least that waiting in vain would take: from 0.6 of --drain-timeout to 0.7, 30 s.
        assert took_s < 15
        assert code == 1
        assert service.rows("select event_name from events") == [("unanswered",)]
