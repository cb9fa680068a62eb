"""What the supervisor itself can't do holds up nobody: it is tried again, and clients are served."""

import errno
import json
import time
from pathlib import Path
from typing import Any

from tests.support.disk_faults import DiskFaults, Rule
from tests.support.service import Service
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


def test_a_segment_that_cannot_be_recovered_holds_up_no_stop_and_is_taken_up_by_the_next_start(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    with Service(tmp_path / "data", "--workers", "1", environment=faults.environment) as service:
        service.flush()
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
