"""A service that takes many events decodes them by what was compiled, and its rows are what they were before."""

import json
import re

import httpx
import pytest

from bench.events import bodies
from sluice.lake.native.ready import CompiledDecoder
from tests.support.service import Service
from tests.support.waiting import wait_until

_MANY = 40_000
_COLUMNS = "event_name, user_id, value_number, value_string, metadata, user_custom, user_custom_ids::text, extra"


@pytest.mark.timeout(300)
def test_many_events_bring_the_compiled_decoder_and_rows_stay_what_they_were(service: Service) -> None:
    CompiledDecoder().load()  # so that it was compiled on this machine before
    usual = bodies(400, batch=20, seed=3, typed=False).bodies
    odd = json.dumps({"events": [{"eventName": "e", "user": {}, "time": 1, "value": "1e400", "else": [1.50]}]}).encode()

    def rows_of(some: str) -> list[tuple[object, ...]]:
        """What becomes of the same requests, which are told apart by their own id."""
        for body in (*usual, odd):
            assert _post(service, body[:-1] + f',"idempotencyKey":"{some}"}}'.encode()) == 202
        service.flush()
        return service.rows(f"select {_COLUMNS} from events where idempotency_key = '{some}' order by all")

    before = rows_of("before")
    for body in bodies(_MANY, batch=2_000, seed=4, typed=False).bodies:
        assert _post(service, body) == 202
    service.flush()
    wait_until(lambda: _is_compiled(service), within_s=110)
    after = rows_of("after")

    assert len(before) == 401
    assert before == after
    assert service.rows("select count(*) from events") == [(_MANY + 802,)]


def _post(service: Service, body: bytes) -> int:
    headers = {"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"}
    return httpx.post(f"{service.rest}/v1/log_event", content=body, headers=headers, timeout=30).status_code


def _is_compiled(service: Service) -> bool:
    text = httpx.get(f"http://{service.admin}/metrics", timeout=10).text
    return re.search("^sluice_lake_compiled_decoder 1", text, re.MULTILINE) is not None
