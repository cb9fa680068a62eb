"""Accepted, but where is it? `sluice tail` and `sluice trace` beside a running service, through the real doors."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import SLUICE, Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Segments stay open until somebody flushes, and are kept."""
    folder = tmp_path_factory.mktemp("service")
    with Service(folder / "data", "--seal-age", "1h", "--archive", "on", "--workers", "2") as running:
        yield running


# What tail says where a test stops the service and starts it again, if it looks in between.
_OF_THE_SERVICE = ("the service has ended; waiting for one to start", "a service runs again")


@contextmanager
def _tail(service: Service, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [SLUICE, "tail", "--data-dir", str(service.data_dir), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting for events; Ctrl-C ends it\n"
        yield process
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        told = [line for line in err.splitlines() if line not in _OF_THE_SERVICE]
        assert (process.returncode, out, told) == (130, "", [])
    finally:
        process.kill()
        process.communicate()


def _next_row(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    row: dict[str, Any] = json.loads(process.stdout.readline())
    return row


def _trace(service: Service, request_id: str) -> tuple[int, dict[str, Any]]:
    done = service.try_command("trace", "--json", request_id)
    return done.returncode, json.loads(done.stdout)


def test_tail_shows_the_rows_that_the_lake_will_have_also_across_a_restart(service: Service) -> None:
    with _tail(service, "--json", "--show-values", "--event-name", "tail_*") as process:
        answers = [service.post(name) for name in ("other", "tail_one")]
        rows = [_next_row(process)]
        assert service.stop() == 0
        service.start()
        answers.append(service.post("tail_two"))
        rows.append(_next_row(process))
    service.flush()

    assert [row["request_id"] for row in rows] == [answer.headers["x-request-id"] for answer in answers[1:]]
    lake = service.dicts(
        "select * exclude (received_date, received_hour) from events"
        " where event_name like 'tail_%' order by received_at"
    )
    assert rows == [
        {
            name: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in lake
    ]


def test_a_request_is_traced_from_the_log_to_the_lake(service: Service) -> None:
    request_id = service.post("a", "b").headers["x-request-id"]

    code, waiting = _trace(service, request_id)
    service.flush()
    code_after, published = _trace(service, request_id)

    assert (code, waiting["state"], waiting["events"]) == (0, "open", 2)
    assert waiting["log"][0]["locked"]
    assert (code_after, published["state"], published["events"]) == (0, "published", 2)
    assert published["received_at"] == waiting["received_at"]
    [file] = published["lake"]
    assert Path(file["file"]).exists()
    assert waiting["log"][0]["segment"] in [segment["id"] for segment in file["segments"]]
    assert [place["state"] for place in published["log"]] == ["archive"]
    assert published["log"][0]["offset"] == waiting["log"][0]["offset"]


def test_a_request_whose_record_is_damaged_is_traced_to_where_it_was_set_aside(service: Service) -> None:
    request_id = service.post("a").headers["x-request-id"]
    _, waiting = _trace(service, request_id)
    [place] = waiting["log"]
    with Path(place["file"]).open("r+b") as segment:
        segment.seek(place["offset"] + place["bytes"] - 1)
        last = segment.read(1)
        segment.seek(-1, os.SEEK_CUR)
        segment.write(bytes([last[0] ^ 1]))

    assert service.try_command("flush").returncode == 1
    code, found = _trace(service, request_id)

    assert (code, found["state"], found["lake"]) == (1, "damaged", [])
    set_aside = [place for place in found["log"] if place["state"] == "damaged"]
    assert [(each["segment"], each["offset"], each["reason"]) for each in set_aside] == [
        (place["segment"], place["offset"], "broken_payload")
    ]


def test_what_was_refused_is_nowhere(service: Service) -> None:
    refused = service.post("a", key="secret-unknown-here")
    unknown = httpx.get(f"{service.rest}/nowhere", timeout=5)

    assert refused.status_code == 401
    assert _trace(service, refused.headers["x-request-id"])[0] == 1
    envoys = service.try_command("trace", unknown.headers["x-request-id"])
    assert envoys.returncode == 1
    assert "Envoy makes such ids" in envoys.stderr
