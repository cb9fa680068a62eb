"""Where Envoy makes typed messages of JSON: what workers get, and what is answered to bodies that Envoy can't read."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.edge.config import Transcoding
from sluice.events.v1 import events_pb2 as pb
from tests.support.edge import MAX_BODY, Edge, running_edge

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = b'{"events":[{"user":{"userID":"u1"},"eventName":"e","time":1767225600000}]}'
_TYPED = "/sluice.events.v1.EventsService/"
_RAW = "/sluice.events.v1.HttpEventsService/"


@pytest.fixture(scope="module")
def _typed_edge() -> Iterator[Edge]:
    with (
        tempfile.TemporaryDirectory(prefix="edge-") as folder,
        running_edge(Path(folder), transcoding=Transcoding.TYPED) as edge,
    ):
        yield edge


@pytest.fixture
def typed_edge(_typed_edge: Edge) -> Edge:
    """An edge in typed mode; its workers acknowledge."""
    _typed_edge.forget()
    return _typed_edge


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/log_event", "LogEvent"),
        ("/v1/rgstr", "LogEvent"),
    ],
)
def test_a_plain_body_reaches_a_worker_as_a_typed_message(typed_edge, path, method):
    answer = typed_edge.post(GOOD, path=path, headers={"statsig-api-key": "k"})

    assert (answer.status, answer.json) == (202, {"success": True})
    [call] = typed_edge.calls
    assert (call.path, call.header("x-envoy-original-path")) == (f"{_TYPED}{method}", path)
    [event] = pb.LogEventRequest.FromString(call.message).events
    assert (event.event_name, event.user.user_id, event.time) == ("e", "u1", 1767225600000)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"headers": {"Content-Encoding": "gzip"}}, id="labelled"),
        pytest.param({"path": "/v1/rgstr?gz=1"}, id="gz=1"),
    ],
)
def test_a_packed_body_reaches_a_worker_as_it_came(typed_edge, request_):
    packed = gzip.compress(GOOD)

    assert typed_edge.post(packed, **request_).status == 202
    [call] = typed_edge.calls
    assert (call.path, call.body) == (f"{_RAW}LogEvent", packed)


def test_the_query_reaches_the_worker_and_not_the_message(typed_edge):
    query = "?k=key&t=5&events.time=7&idempotency_key=x&statsigMetadata.sdkType=y"

    assert typed_edge.post(GOOD, path=f"/v1/rgstr{query}").status == 202
    [call] = typed_edge.calls
    assert call.header("x-sluice-query") == query
    assert len(pb.LogEventRequest.FromString(call.message).events) == 1
    assert call.message == _message_without_query(typed_edge)


def _message_without_query(edge: Edge) -> bytes:
    edge.post(GOOD)
    return edge.calls[-1].message


def test_a_query_that_a_client_puts_into_the_header_is_taken_away(typed_edge, edge):
    for one in (typed_edge, edge):
        assert one.post(GOOD, headers={"x-sluice-query": "?k=forged"}).status == 202
        assert one.calls[-1].header("x-sluice-query") is None


def _of_event(members: str) -> bytes:
    return b'{"events":[{"user":{"userID":"u1"},"eventName":"e","time":1},{%s}]}' % members.encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(_of_event('"time":"soon"'), "events[1].time: expected integer (ms since epoch)", id="time"),
        pytest.param(_of_event('"time":1.5'), "events[1].time: expected integer (ms since epoch)", id="fraction"),
        pytest.param(_of_event('"time":9223372036854775808'), "events[1].time: expected integer", id="2^63"),
        pytest.param(_of_event('"eventName":5'), "events[1].eventName: expected string", id="eventName"),
        pytest.param(_of_event('"eventID":5'), "events[1].eventID: expected string", id="eventID"),
        pytest.param(_of_event('"metadata":"text"'), "events[1].metadata: expected object", id="metadata"),
        pytest.param(_of_event('"metadata":[1]'), "events[1]: expected what the schema has there", id="an array"),
        pytest.param(
            _of_event('"secondaryExposures":[5]'), "events[1].secondaryExposures[0]: expected object", id="exposures"
        ),
        pytest.param(_of_event('"user":"u"'), "events[1].user: expected object", id="user"),
        pytest.param(_of_event('"user":{"userID":12345}'), "events[1].user.userID: expected string", id="userID"),
        pytest.param(
            _of_event('"user":{"appVersion":12345}'), "events[1].user.appVersion: expected string", id="appVersion"
        ),
        pytest.param(
            _of_event('"user":{"customIDs":{"a":"x","b":12345}}'),
            "events[1].user.customIDs: expected string",
            id="customIDs",
        ),
        pytest.param(
            _of_event('"user":{"customIDs":{"a":[12345]}}'), "events[1].user.customIDs: expected what", id="ids array"
        ),
        pytest.param(
            _of_event('"user":{"statsigEnvironment":"prod"}'),
            "events[1].user.statsigEnvironment: expected object",
            id="statsigEnvironment",
        ),
        pytest.param(_of_event('"eventName":"a","eventName":"b"'), "events[1]: expected each key once", id="twice"),
        pytest.param(b'{"events":[12345]}', "events[0]: expected object", id="event"),
        pytest.param(
            b'{"statsigMetadata":{"stableID":12345},"events":[]}', "statsigMetadata.stableID: expected string", id="SDK"
        ),
        pytest.param(b'{"idempotencyKey":12345,"events":[]}', "idempotencyKey: expected string", id="idempotencyKey"),
        pytest.param(b"[12345]", "body: expected object", id="no object"),
        pytest.param(GOOD[:-20], "body: expected JSON", id="cut off"),
        pytest.param(GOOD + b"12345", "body: expected JSON", id="something behind it"),
        pytest.param(_of_event('"value":12345NaN'), "body: expected JSON", id="no number"),
        pytest.param(_of_event('"metadata":{"12345":1e400}'), "body: expected JSON", id="beyond a double"),
        pytest.param(_of_event('"metadata":{"a":"12345\\ud800"}'), "body: expected JSON", id="half a surrogate pair"),
        pytest.param(GOOD.replace(b"u1", b"12345\xff"), "body: expected JSON", id="no UTF-8"),
        pytest.param(
            _of_event('"metadata":{"12345":' + "[" * 600 + "]" * 600 + "}"), "body: expected JSON", id="too deep"
        ),
        pytest.param(
            _of_event('"metadata":' + '{"12345":' * 200 + "1" + "}" * 200), "body: expected JSON", id="keys too deep"
        ),
    ],
)
def test_what_envoy_refuses_is_400_in_our_own_words_and_without_the_bodys_content(typed_edge, body, said):
    answer = typed_edge.post(body)

    assert (answer.status, answer.json["status"]) == (400, 400)
    assert answer.json["message"].startswith(said)
    assert not any(content in answer.json["message"] for content in ("12345", "soon", "text", "prod", "u1", "\n"))
    assert answer.header("content-type") == "application/json"
    assert answer.header("access-control-allow-origin") == "*"
    assert len(answer.header("x-request-id")) == 36
    assert typed_edge.calls == []


def test_a_large_body_with_an_early_fault_is_answered_once_it_is_there(typed_edge):
    body = b'{"events":[5' + b" " * (MAX_BODY - 14) + b"]}"

    answer = typed_edge.post(body)

    assert (answer.status, answer.json["message"]) == (
        400,
        "events[0]: expected object, got another value; mend that, and send the request again",
    )
    assert answer.header("connection") is None


def test_a_body_over_the_limit_is_413_and_one_of_the_limit_passes(typed_edge):
    padded = GOOD[:-1] + b" " * (MAX_BODY - len(GOOD)) + b"}"

    assert typed_edge.post(padded).status == 202
    assert typed_edge.post(padded + b" ").status == 413
    assert typed_edge.post(padded + b" ", chunked=True).status == 413


def test_a_larger_body_and_one_whose_length_is_not_told_reach_a_worker_as_they_came(typed_edge, short_folder):
    padded = GOOD[:-1] + b" " * 2 * 1024 * 1024 + b"}"
    with running_edge(short_folder, transcoding=Transcoding.TYPED, max_body_bytes=4 * 1024 * 1024) as edge:
        edge.post(padded)
    typed_edge.post(GOOD, chunked=True)

    for asked, body in ((edge, padded), (typed_edge, GOOD)):
        [call] = asked.calls
        assert (call.path, call.body) == (f"{_RAW}LogEvent", body)


def test_the_message_that_grows_most_reaches_the_worker(typed_edge):
    zeros = b"0," * ((MAX_BODY - 100) // 2)
    body = _of_event('"metadata":{"a":[ZEROS]}').replace(b"ZEROS", zeros + b"0")

    assert typed_edge.post(body).status == 202
    assert len(typed_edge.calls[0].message) > 5 * MAX_BODY
