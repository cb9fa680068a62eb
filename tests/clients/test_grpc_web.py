"""gRPC-Web by clients from npm: in Node, and in a page whose origin is not the service's."""

import base64
import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.rpc.status_pb2 import Status

from sluice.error_details import too_large_message
from tests.clients import tools
from tests.clients.pages import Pages
from tests.clients.talk import Talker
from tests.support.documents import blocks_of
from tests.support.service import Service

# Of the calls' outcomes, see node/grpc_web/call.mjs.
Call = Callable[..., dict[str, Any]]

_OK, _INVALID_ARGUMENT, _UNAUTHENTICATED = 0, 3, 16

_CLIENTS = {
    "connect-web": {"client": "connect", "format": "binary"},
    "grpc-web, binary": {"client": "google", "format": "binary"},
    "grpc-web, text": {"client": "google", "format": "text"},
}


@pytest.fixture(scope="module")
def in_node():
    with Talker(["node", "grpc_web/node.mjs"], tools.NODE) as talker:
        yield talker.ask


@pytest.fixture(scope="module")
def page(browser: Talker, pages: Pages) -> Talker:
    pages.add_script("/grpc_web.js", tools.NODE / "pages/grpc_web.js")
    browser.ask({"open": pages.add("/grpc_web", "<!doctype html><script src=/grpc_web.js></script>")})
    yield browser
    browser.ask({"close": True})


@pytest.fixture(scope="module", params=["Node", "Chromium"])
def place(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if request.param == "Node":
        return request.getfixturevalue("in_node")
    page = request.getfixturevalue("page")
    return lambda asked: page.ask({"call": "call", "argument": asked})


@pytest.fixture(params=_CLIENTS)
def call(request: pytest.FixtureRequest, place: Any, service: Service) -> Call:
    """Make a call by one of the clients in one of the places."""

    def call(method: str, *events: dict[str, Any], key: str) -> dict[str, Any]:
        asked = {"url": service.rest, "method": method, "message": {"events": list(events)}}
        return place({**_CLIENTS[request.param], **asked, "metadata": {"statsig-api-key": key}})

    return call


def _event(name: str) -> dict[str, Any]:
    return {
        "user": {"userID": "u1", "customIDs": {"companyID": "c9"}},
        "eventName": name,
        "time": "1767225600000",
        "value": 9.5,
        "metadata": {"item": "SKU-1", "nested": {"a": [1, 2]}},
    }


@pytest.mark.parametrize("method", ["logEvent", "receiveWebhookEvent"])
def test_events_are_acknowledged_and_their_rows_have_the_request_id_that_the_client_reads(
    call: Call, service: Service, method: str
) -> None:
    answer = call(method, _event("first"), _event("second"), key=service.server_key)

    assert (answer["code"], answer["success"]) == (_OK, True), answer
    service.flush()
    rows = service.dicts(f"select * from events where request_id = '{answer['headers']['x-request-id']}'")
    assert [row["event_name"] for row in rows] == ["first", "second"]
    for row in rows:
        assert row["source"] == "grpc"
        assert (row["user_id"], row["user_custom_ids"]) == ("u1", {"companyID": "c9"})
        assert (row["time_ms"], row["value_number"]) == (1767225600000, 9.5)
        assert row["metadata"] == '{"item":"SKU-1","nested":{"a":[1,2]}}'


def test_a_client_key_may_log_events_but_not_post_to_the_webhook(call: Call, service: Service) -> None:
    logged = call("logEvent", _event("by a client key"), key=service.client_key)
    refused = call("receiveWebhookEvent", _event("never"), key=service.client_key)

    assert logged["code"] == _OK
    assert refused["code"] == _UNAUTHENTICATED
    assert "expected a key for this endpoint" in refused["text"]


def test_a_key_that_is_not_known_is_refused_with_what_to_do(call: Call) -> None:
    answer = call("logEvent", _event("never"), key="secret-of-somebody-else")

    assert answer["code"] == _UNAUTHENTICATED
    assert answer["text"] == (
        'statsig-api-key: expected a key that is known here, got "secret-o..."; make one with sluice keys create, or '
        "to keep a Statsig key, import it: sluice keys import"
    )


def test_an_invalid_event_is_named_and_the_status_has_the_same_words(call: Call, service: Service) -> None:
    nameless = _event("")
    del nameless["eventName"]

    answer = call("logEvent", _event("never"), nameless, key=service.server_key)

    assert answer["code"] == _INVALID_ARGUMENT
    assert answer["text"] == (
        "events[1].event_name: missing, expected string (1 of 2 events are invalid; none was accepted: mend them or "
        "leave them out, and send the rest again)"
    )
    details = answer["trailers"]["grpc-status-details-bin"]
    assert Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4))).message == answer["text"]
    assert _request_id(answer)


def test_a_message_that_is_too_large_is_invalid_and_says_the_limit(call: Call, service: Service) -> None:
    answer = call("logEvent", _event("x" * (service.max_body + 1)), key=service.server_key)

    assert answer["code"] == _INVALID_ARGUMENT
    assert answer["text"] == too_large_message(service.max_body)


def test_a_page_asks_leave_by_a_preflight_and_no_other_host_for_anything(
    page: Talker, pages: Pages, service: Service
) -> None:
    asked = {"client": "connect", "format": "binary", "url": service.rest, "method": "logEvent"}
    page.ask({"call": "call", "argument": {**asked, "metadata": {"statsig-api-key": "x"}, "message": {}}})

    requests = page.ask({"requests": True})
    assert pages.origin != service.rest
    assert {"OPTIONS", "POST"} == {it["method"] for it in requests if it["url"].startswith(service.rest)}
    assert {urlsplit(request["url"]).hostname for request in requests} == {"127.0.0.1"}


def test_the_client_of_the_document_sends_its_event(service: Service) -> None:
    document = tools.ROOT / "docs/grpc-web.md"
    [template] = blocks_of(document, {"yaml"})
    [program] = blocks_of(document, {"js"})
    text = program.text.replace("http://127.0.0.1:8080", service.rest).replace("client-YOUR-KEY", service.client_key)
    (tools.NODE / "documented_grpc_web.mjs").write_text(text)

    subprocess.run(["node", "documented_grpc_web.mjs"], cwd=tools.NODE, check=True, timeout=30)

    assert f"{template.text}\n" == (tools.HERE / "node/buf.gen.yaml").read_text()
    service.flush()
    columns = "user_id, value_number, metadata, source"
    found = service.rows(f"select {columns} from events where event_name = 'added_to_cart' and source = 'grpc'")
    assert found == [("u1", 9.5, '{"item":"SKU-1"}', "grpc")]


def _request_id(answer: dict[str, Any]) -> str:
    """Where it stands in a refusal differs between clients: headers and trailers may be one block."""
    return (answer["headers"] | answer["trailers"])["x-request-id"]
