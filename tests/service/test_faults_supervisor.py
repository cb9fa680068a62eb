"""What the supervisor itself can't do holds up nobody: it is tried again, and clients are served."""

import errno
import json
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
