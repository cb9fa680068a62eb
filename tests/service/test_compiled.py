"""A service that takes many events checks and decodes by what is compiled; answers and rows stay what they were."""

import json
import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from bench.events import bodies
from sluice.ingest.compiled_check import CompiledCheck
from sluice.lake.native.ready import CompiledDecoder
from tests.support.service import Service
from tests.support.waiting import wait_until

_MANY = 40_000
_COLUMNS = "event_name, user_id, value_number, value_string, metadata, user_custom, user_custom_ids::text, extra"


@pytest.mark.timeout(300)
def test_many_events_bring_what_is_compiled_and_answers_and_rows_stay_what_they_were(service: Service) -> None:
    # So that it was compiled on this machine before.
    CompiledDecoder().load()
    CompiledCheck().load()
    usual = bodies(400, batch=20, seed=3, typed=False).bodies
    odd = json.dumps({"events": [{"eventName": "e", "user": {}, "time": 1, "value": "1e400", "else": [1.50]}]}).encode()
    bad = usual[0].replace(b'"time":', b'"tame":', 3)

    def rows_of(some: str) -> list[tuple[object, ...]]:
        """What becomes of the same requests, which are told apart by their own id."""
        for body in (*usual, odd):
            assert _post(service, body[:-1] + f',"idempotencyKey":"{some}"}}'.encode()).status_code == 202
        service.flush()
        return service.rows(f"select {_COLUMNS} from events where idempotency_key = '{some}' order by all")

    before, refused_before = rows_of("before"), _post(service, bad)
    many = bodies(_MANY, batch=2_000, seed=4, typed=False).bodies
    sent = 0
    # Each worker counts its own.
    while sent < 20 * _MANY and not _is_compiled(service):
        for body in many:
            assert _post(service, body).status_code == 202
        sent += _MANY
        service.flush()
    wait_until(lambda: _is_compiled(service), within_s=110)
    after, refused_after = rows_of("after"), _post(service, bad)

    assert len(before) == 401
    assert before == after
    assert service.rows("select count(*) from events") == [(sent + 802,)]
    assert refused_before.status_code == refused_after.status_code == 400
    assert "tame" not in refused_before.text
    assert refused_before.json()["message"] == refused_after.json()["message"]


def test_after_a_worker_that_broke_workers_go_on_without_the_compiled_check(service: Service) -> None:
    worker = service.pid("worker-0")
    assert '"compiled_check":true' in _arguments(worker)

    os.kill(worker, signal.SIGSEGV)

    wait_until(lambda: service.pid("worker-0") != worker, within_s=30)
    wait_until(service.is_ready, within_s=60)
    assert '"compiled_check":false' in _arguments(service.pid("worker-0"))
    assert "workers that are started from now on check bodies without what is compiled" in service.messages()
    assert _post(service, bodies(100, batch=100, seed=5, typed=False).bodies[0]).status_code == 202


def _post(service: Service, body: bytes) -> httpx.Response:
    headers = {"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"}
    return httpx.post(f"{service.rest}/v1/log_event", content=body, headers=headers, timeout=30)


def _is_compiled(service: Service) -> bool:
    """Whether the lake writer and each worker have loaded what is compiled for them."""
    text = httpx.get(f"http://{service.admin}/metrics", timeout=10).text

    def value(name: str) -> float:
        found = re.search(rf"^{name} (\S+)", text, re.MULTILINE)
        return float(found.group(1)) if found else 0

    checks, workers = value("sluice_ingest_compiled_check"), value("sluice_workers_ready")
    return value("sluice_lake_compiled_decoder") == 1 and 0 < workers == checks


def _arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
