"""Each status and body of the contract is provoked on both endpoints and matched against its schema."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.service import Service

_CONTRACT = yaml.safe_load((Path(__file__).parents[1] / "contract/openapi.yaml").read_text())
_PATHS = sorted(_CONTRACT["paths"])
_GOOD = {"events": [{"user": {"userID": "u1"}, "eventName": "bought", "time": 1767225600000, "value": 9.5}]}


def _schema_of(path: str, status: int) -> dict[str, Any]:
    response = _CONTRACT["paths"][path]["post"]["responses"][str(status)]
    if "$ref" in response:
        response = _CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return {**schema, "components": _CONTRACT["components"]}


def _post(service: Service, path: str, json: object, headers: dict[str, str] | None = None) -> httpx.Response:
    defaults = {"statsig-api-key": service.server_key, "statsig-client-time": str(int(time.time() * 1000))}
    return httpx.post(f"{service.rest}/v1{path}", json=json, headers={**defaults, **(headers or {})}, timeout=20)


def test_every_status_of_the_contract_is_tested_here() -> None:
    statuses = {path: sorted(_CONTRACT["paths"][path]["post"]["responses"]) for path in _PATHS}

    assert statuses == {path: ["202", "400", "401"] for path in _PATHS}


@pytest.mark.parametrize("path", _PATHS)
def test_valid_events_are_accepted_as_the_contract_says(service: Service, path: str) -> None:
    answer = _post(service, path, _GOOD)

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    Draft202012Validator(_schema_of(path, 202)).validate(answer.json())
    assert answer.json() == {"success": True}
    service.flush()
    assert service.rows(
        "select event_name, user_id, value_number, time_ms from events "
        f"where request_id = '{answer.headers['x-request-id']}'"
    ) == [("bought", "u1", 9.5, 1767225600000)]


@pytest.mark.parametrize("path", _PATHS)
def test_an_invalid_request_is_refused_as_the_contract_says(service: Service, path: str) -> None:
    answer = _post(service, path, {"events": [*_GOOD["events"], {"eventName": "x", "user": {}, "time": "soon"}]})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    Draft202012Validator(_schema_of(path, 400)).validate(answer.json())
    assert answer.json()["status"] == 400
    assert "events[1].time" in answer.json()["message"]


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize(
    ("key", "said"),
    [
        pytest.param(None, "statsig-api-key", id="no key"),
        pytest.param("secret-unknown", "known here", id="a key that is not known"),
    ],
)
def test_a_missing_or_unknown_key_is_refused_as_the_contract_says(
    service: Service, path: str, key: str | None, said: str
) -> None:
    headers = {"statsig-client-time": "1767225600000"} | ({"statsig-api-key": key} if key else {})
    answer = httpx.post(f"{service.rest}/v1{path}", json=_GOOD, headers=headers, timeout=20)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    Draft202012Validator(_schema_of(path, 401)).validate(answer.json())
    assert said in answer.json()["message"]
    assert set(answer.json()) == {"message"}


@pytest.mark.parametrize("value", [None, "1.5", "soon", str(2**63)])
def test_log_event_needs_the_client_time_header(service: Service, value: str | None) -> None:
    headers = {"statsig-api-key": service.server_key} | ({"statsig-client-time": value} if value else {})
    answer = httpx.post(f"{service.rest}/v1/log_event", json=_GOOD, headers=headers, timeout=20)

    assert answer.status_code == 400
    assert "STATSIG-CLIENT-TIME" in answer.json()["message"].upper()
