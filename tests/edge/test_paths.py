"""Every path that events come in by, the further ones of an operator too, in both transcodings."""

from __future__ import annotations

import dataclasses
import gzip
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.edge.config import Transcoding
from sluice.edge.paths import UnusablePath, check_extra_paths
from sluice.events.v1 import events_pb2 as pb
from tests.edge.test_render import CONFIG
from tests.support.edge import MAX_BODY, Edge, running_edge

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODY = b'{"events":[{"user":{"userID":"u1"},"eventName":"e","time":1767225600000}]}'
_EXTRA = ("/cart/notes", "/v1/a.b", "/x")
_RAW = "/sluice.events.v1.HttpEventsService/"
_TYPED = "/sluice.events.v1.EventsService/"


@pytest.fixture(scope="module", params=list(Transcoding), ids=lambda mode: mode.value)
def _edge_with_paths(request) -> Iterator[Edge]:
    with (
        tempfile.TemporaryDirectory(prefix="edge-") as folder,
        running_edge(Path(folder), workers=1, transcoding=request.param, extra_paths=_EXTRA) as edge,
    ):
        yield edge


@pytest.fixture
def edge(_edge_with_paths: Edge) -> Edge:
    """An edge with further paths; its workers acknowledge."""
    _edge_with_paths.forget()
    return _edge_with_paths


@pytest.mark.parametrize(
    ("path", "method", "always_raw"),
    [
        ("/v1/rgstr_b", "LogEvent", False),
        ("/v1/log_custom_exposure", "LogCustomExposure", True),
        ("/v1/webhooks/event_webhook", "ReceiveWebhookEvent", True),
    ],
)
def test_a_body_reaches_the_door_of_its_path(edge, path, method, always_raw):
    answer = edge.post(_BODY, path=f"{path}?k=client-1&ec=1")

    assert (answer.status, answer.json) == (202, {"success": True})
    [call] = edge.calls
    typed = edge.config.transcoding is Transcoding.TYPED and not always_raw
    assert call.path == (_TYPED if typed else _RAW) + method
    if not typed:
        assert (call.body, call.header("x-envoy-original-path")) == (_BODY, f"{path}?k=client-1&ec=1")


@pytest.mark.parametrize("path", _EXTRA)
def test_a_further_path_takes_events_as_log_event_does(edge, path):
    sent = {"statsig-api-key": "k", "Content-Type": "text/plain;charset=UTF-8", "x-envoy-original-path": "/forged"}
    edge.post(_BODY, path="/v1/log_event?t=5&k=client-%20", headers=sent)

    answer = edge.post(_BODY, path=f"{path}?t=5&k=client-%20", headers=sent)

    assert (answer.status, answer.json) == (202, {"success": True})
    assert answer.header("access-control-allow-origin") == "*"
    by_name, by_path = edge.calls
    assert (by_path.path, by_path.message) == (by_name.path, by_name.message)
    assert sorted(by_path.metadata) == sorted(by_name.metadata)
    typed = edge.config.transcoding is Transcoding.TYPED
    assert by_path.header("x-sluice-query" if typed else "x-envoy-original-path").endswith("?t=5&k=client-%20")
    if typed:
        assert pb.LogEventRequest.FromString(by_path.message).events[0].event_name == "e"


@pytest.mark.parametrize(
    ("query", "headers"), [("?gz=1", {"Content-Type": None}), ("", {"Content-Encoding": "gzip"})], ids=["gz=1", "gzip"]
)
def test_a_further_path_takes_packed_bodies(edge, query, headers):
    packed = gzip.compress(_BODY)

    assert edge.post(packed, path=f"/cart/notes{query}", headers=headers).status == 202
    [call] = edge.calls
    assert (call.path, call.body, call.header("content-encoding")) == (f"{_RAW}LogEvent", packed, "gzip")


@pytest.mark.parametrize("path", ["/v1/rgstr_b", "/v1/log_custom_exposure", *_EXTRA])
def test_a_path_is_refused_as_log_event_is(edge, path):
    for request in (
        {"method": "GET"},
        {"method": "OPTIONS", "headers": {"Access-Control-Request-Method": "POST"}},
        {"headers": {"Content-Type": "application/xml"}},
        {"headers": {"Content-Encoding": "deflate"}},
        {"body": b"x" * (MAX_BODY + 1)},
        {"body": b"x" * (MAX_BODY + 1), "chunked": True},
    ):
        expected, answer = edge.post(path="/v1/log_event", **request), edge.post(path=path, **request)

        assert (answer.status, answer.body) == (expected.status, expected.body)
        assert answer.status in {204, 405, 413, 415}
        assert set(answer.headers) == set(expected.headers)
        assert answer.header("access-control-allow-headers") == expected.header("access-control-allow-headers")


@pytest.mark.parametrize("path", ["/cart/note", "/cart/notes/", "/cart", "/v1/aXb", "/v1/log_event/cart/notes"])
def test_a_path_that_only_looks_like_one_is_not_found(edge, path):
    assert edge.post(_BODY, path=path).status == 404
    assert edge.calls == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cart", "does not begin with a slash"),
        ("", "does not begin with a slash"),
        ("/", "not a plain path"),
        ("/a/", "not a plain path"),
        ("//a", "not a plain path"),
        ("/a?b=1", "not a plain path"),
        ("/a#b", "not a plain path"),
        ("/a b", "not a plain path"),
        ("/a\r\nx: y", "not a plain path"),
        ("/a/../b", "not a plain path"),
        ("/a/./b", "not a plain path"),
        ("/%61", "not a plain path"),
        ("/ä", "not a plain path"),
        ('/a"|/b', "not a plain path"),
        ("/" + "x" * 128, "more than 128"),
        ("/v1/log_event", "has a meaning already"),
        ("/V1/Rgstr", "has a meaning already"),
        ("/v1/log_custom_exposure", "has a meaning already"),
        ("/v1/initialize", "has a meaning already"),
        ("/v2/download_config_specs/x.json", "has a meaning already"),
        ("/livez", "has a meaning already"),
        ("/sluice.events.v1.EventsService/LogEvent", "has a meaning already"),
        ("/grpc.health.v1.Health/Check", "has a meaning already"),
    ],
)
def test_a_path_that_can_take_no_events_is_refused(path, said):
    with pytest.raises(UnusablePath, match=said) as refused:
        dataclasses.replace(CONFIG, extra_paths=("/fine", path))

    assert refused.value.hint
    assert str(refused.value).isprintable()


def test_paths_are_few_and_each_is_there_once():
    check_extra_paths([f"/p{number}" for number in range(16)])

    with pytest.raises(UnusablePath, match="17 paths are more than 16"):
        check_extra_paths([f"/p{number}" for number in range(17)])
    with pytest.raises(UnusablePath, match="twice"):
        check_extra_paths(["/a", "/b", "/a"])
