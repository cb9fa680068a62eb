"""What is refused, and how: through Envoy, as any HTTP client would see it."""

import gzip
import json
import time

import httpx
import pytest

from tests.support.service import Service

_EVENT = '{"user":{"userID":"u1"},"eventName":"e","time":1767225600000}'
_NESTED = "[" * 100_000 + "]" * 100_000


def _event(**fields: str) -> str:
    parts = {"user": '{"userID":"u1"}', "eventName": '"e"', "time": "1767225600000", **fields}
    members = ",".join(f'"{name}":{text}' for name, text in parts.items() if text)
    return f'{{"events":[{{{members}}}]}}'


def _post(service: Service, content: bytes, path: str = "/v1/log_event", **headers: str) -> httpx.Response:
    sent = {
        "statsig-api-key": service.server_key,
        "statsig-client-time": str(int(time.time() * 1000)),
        "content-type": "application/json",
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{service.rest}{path}", content=content, headers=sent, timeout=30)


@pytest.mark.parametrize("path", ["/v1/log_event", "/v1/rgstr", "/v1/webhooks/event_webhook"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(b"", "empty", id="no body"),
        pytest.param(b"{}", "events", id="no events"),
        pytest.param(b'{"events":null}', "events", id="events null"),
        pytest.param(b'{"events":{}}', "events", id="events an object"),
        pytest.param(b"[]", "object", id="an array"),
        pytest.param(b"nonsense", "JSON", id="not JSON"),
        pytest.param(b'{"events":[' + _EVENT.encode(), "JSON", id="truncated"),
        pytest.param(b'{"events":[{"user":{},"eventName":"\xff","time":1}]}', "UTF-8", id="invalid UTF-8 in a field"),
        pytest.param(b'{"x":"\xff","events":[]}', "UTF-8", id="invalid UTF-8 in what is skipped"),
        pytest.param(_event(metadata=f'{{"a":{_NESTED}}}').encode(), "deep", id="too deep nesting"),
        pytest.param(_event(time="").encode(), "events[0].time", id="time missing"),
        pytest.param(_event(time="null").encode(), "events[0].time", id="time null"),
        pytest.param(_event(time='"tomorrow"').encode(), "events[0].time", id="time no ISO-8601 text"),
        pytest.param(_event(time=str(2**63)).encode(), "events[0].time", id="time 2^63"),
        pytest.param(_event(time="1.5").encode(), "events[0].time", id="time 1.5"),
        pytest.param(_event(time="NaN").encode(), "JSON", id="time NaN"),
        pytest.param(_event(time="true").encode(), "events[0].time", id="time true"),
        pytest.param(_event(eventName="").encode(), "events[0].eventName", id="name missing"),
        pytest.param(_event(eventName="7").encode(), "events[0].eventName", id="name a number"),
        pytest.param(_event(user="").encode(), "events[0].user", id="user missing"),
        pytest.param(_event(user="[]").encode(), "events[0].user", id="user an array"),
        pytest.param(_event(user='{"email":1}').encode(), "events[0].user.email", id="e-mail a number"),
        pytest.param(_event(user='{"customIDs":{"a":[]}}').encode(), "events[0].user.customIDs", id="custom id a list"),
        pytest.param(_event(value="true").encode(), "events[0].value", id="value a boolean"),
        pytest.param(_event(value="{}").encode(), "events[0].value", id="value an object"),
        pytest.param(_event(metadata='"text"').encode(), "events[0].metadata", id="metadata a text"),
    ],
)
def test_a_body_that_breaks_the_contract_is_400_with_the_path(
    service: Service, path: str, body: bytes, named: str
) -> None:
    answer = _post(service, body, path)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["status"] == 400
    assert named in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"events":[]}', id="no events at all"),
        pytest.param(_event(user='{"userID":12345}'), id="numeric userID, as node legacy sends it"),
        pytest.param(_event(user="null"), id="user null, as node sends it"),
        pytest.param(_event(time="1767225600000.0"), id="integral float"),
        pytest.param(_event(time='"2026-01-01T00:00:00Z"'), id="ISO-8601"),
        pytest.param(_event(user="", eventName='"statsig::diagnostics"'), id="diagnostics without user, as Java"),
        pytest.param(_event(metadata="null", value="null"), id="nulls, as the cores send them"),
        pytest.param(_event(unknown='{"a":1}'), id="a field beyond the contract"),
    ],
)
def test_what_sdks_are_known_to_send_is_accepted(service: Service, body: str) -> None:
    assert _post(service, body.encode()).status_code == 202


def test_a_packed_body_is_taken_whole_or_not_at_all(service: Service) -> None:
    packed = gzip.compress(_event().encode())
    changed = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]

    assert _post(service, packed, content_encoding="gzip").status_code == 202
    for broken in (changed, packed[:-4], packed + packed):
        answer = _post(service, broken, content_encoding="gzip")
        assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_bad_events_are_counted_and_the_first_hundred_named(service: Service) -> None:
    events = [json.loads(_EVENT) for _ in range(300)]
    for index in range(0, 300, 2):
        events[index]["time"] = "x"
    answer = _post(service, json.dumps({"events": events}).encode())

    message = answer.json()["message"]
    assert answer.status_code == 400
    assert "events[0].time" in message
    assert "events[198].time" in message
    assert "events[200].time" not in message
    assert "150 of 300 events" in message


def test_checks_run_in_their_order(service: Service) -> None:
    bad = {"content_encoding": "deflate", "statsig_api_key": "secret-unknown"}
    too_large = b" " * (service.max_body + 1)

    assert _post(service, too_large, "/v1/nothing", **bad).status_code == 404
    assert httpx.get(f"{service.rest}/v1/log_event", headers={"content-encoding": "deflate"}).status_code == 405
    assert _post(service, too_large, **bad).status_code == 415
    assert _post(service, too_large, statsig_api_key="secret-unknown").status_code == 413
    assert _post(service, b"nonsense", statsig_api_key="secret-unknown").status_code == 401
    assert _post(service, b"nonsense").status_code == 400


def test_a_client_key_opens_log_event_and_not_the_webhook(service: Service) -> None:
    body = _event().encode()

    assert _post(service, body, statsig_api_key=service.client_key).status_code == 202
    refused = _post(service, body, "/v1/webhooks/event_webhook", statsig_api_key=service.client_key)
    assert refused.status_code == 401
    assert "endpoint" in refused.json()["message"]


def test_the_key_and_the_time_may_come_in_the_query_but_no_server_secret(service: Service) -> None:
    def post(key: str) -> httpx.Response:
        return httpx.post(f"{service.rest}/v1/rgstr?k={key}&t=1767225600000&ec=1", content=_event(), timeout=20)

    assert post(service.client_key).status_code == 202
    refused = post(service.server_key)
    assert refused.status_code == 401
    assert service.server_key not in refused.text
