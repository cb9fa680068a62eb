"""A 202 comes after the fdatasync of the write that holds the request: seen by recording what disk.py does."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import Service
from tests.support.waiting import wait_until

_INJECTED = Path(__file__).parents[1] / "support/injected"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One for all requests: making one takes longer than a request."""
    with httpx.Client(timeout=30, verify=False) as opened:
        yield opened


def _post(client: httpx.Client, service: Service, marker: str) -> tuple[int, int]:
    """Post one event; return the status and the CLOCK_MONOTONIC at which the answer was here, in ns."""
    answer = client.post(
        f"{service.rest}/v1/log_event",
        json={"events": [{"user": {"userID": marker}, "eventName": "e", "time": 1767225600000}]},
        headers={"statsig-api-key": service.server_key, "statsig-client-time": str(int(time.time() * 1000))},
    )
    return answer.status_code, time.monotonic_ns()


def _operations(record: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


def _ends_of_datasyncs_with(operations: list[dict[str, Any]], marker: bytes) -> list[int]:
    """When datasyncs ended (ns) that began after a write with the marker had ended, in the same file."""
    written = next(
        (position, line["path"])
        for position, line in enumerate(operations)
        if line["phase"] == "after" and line["verb"] == "write" and marker in bytes.fromhex(line["data"])
    )
    position, path = written
    begun = False
    ends = []
    for line in operations[position:]:
        if line["path"] == path and line["verb"] == "datasync":
            if line["phase"] == "before":
                begun = True
            elif begun:
                ends.append(line["ns"])
    return ends


@pytest.fixture
def recorded(tmp_path: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(_INJECTED), "DISK_RECORD": str(tmp_path / "record")}


def test_every_answer_comes_after_the_datasync_of_its_write(
    tmp_path: Path, recorded: dict[str, str], client: httpx.Client
) -> None:
    with Service(tmp_path / "data", environment=recorded) as service, ThreadPoolExecutor(8) as pool:
        markers = [f"marker-{index:04}-end" for index in range(200)]
        answers = dict(zip(markers, pool.map(lambda marker: _post(client, service, marker), markers), strict=True))
        operations = _operations(tmp_path / "record")

    for marker, (status, answered_ns) in answers.items():
        assert status == 202
        ends = _ends_of_datasyncs_with(operations, marker.encode())
        assert ends, f"{marker}: its write was never synced"
        assert ends[0] < answered_ns, f"{marker}: answered before its write was synced"


def test_requests_that_wait_together_share_a_datasync(
    tmp_path: Path, recorded: dict[str, str], client: httpx.Client
) -> None:
    with (
        Service(tmp_path / "data", "--workers", "1", environment=recorded) as service,
        ThreadPoolExecutor(16) as pool,
    ):
        assert {status for status, _ in pool.map(lambda index: _post(client, service, f"m{index}"), range(400))} == {
            202
        }
        operations = _operations(tmp_path / "record")

    datasyncs = sum(line["verb"] == "datasync" and line["phase"] == "after" for line in operations)
    assert datasyncs < 400


def test_there_is_no_answer_while_the_datasync_hangs(
    tmp_path: Path, recorded: dict[str, str], client: httpx.Client
) -> None:
    gate = tmp_path / "gate"
    environment = {**recorded, "DISK_GATE": str(gate)}

    def syncing() -> bool:
        return any(
            line["verb"] == "datasync" and line["phase"] == "before" and "/log/open/" in line["path"]
            for line in _operations(tmp_path / "record")
        )

    with (
        Service(tmp_path / "data", "--workers", "1", environment=environment) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(_post, client, service, "held")
        wait_until(syncing, within_s=20, what="the write reaches its datasync")
        opened_ns = time.monotonic_ns()
        assert not waiting.done()
        gate.touch()
        status, answered_ns = waiting.result(timeout=20)

    assert status == 202
    assert answered_ns > opened_ns
