"""Requests that are none of events: passed to an address that the operator named, or 404 at once."""

from __future__ import annotations

import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.edge.config import UnusableEdgeConfig, Upstream, read_upstream
from tests.support.edge import MAX_BODY, Edge, running_edge
from tests.support.upstream import CERTIFICATES, UpstreamServer, upstream_server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_CA = str(CERTIFICATES / "ca.pem")
_DOWN = {"message": "the upstream address could not be reached, or gave no answer; try again later", "status": 503}
_OF_SDKS = [
    ("POST", "/v1/initialize?k=client-x&se=1"),
    ("GET", "/v1/download_config_specs/secret-x.json?sinceTime=0"),
    ("POST", "/v1/download_config_specs"),
    ("GET", "/v2/download_config_specs/secret-x.json"),
    ("POST", "/v1/get_id_lists"),
    ("POST", "/v1/sdk_exception"),
    ("OPTIONS", "/v1/initialize?k=client-x"),
]


@dataclass
class Both:
    """An edge and what stands behind it."""

    edge: Edge
    upstream: UpstreamServer


@contextmanager
def _edge_before(port: int, *, host: str = "127.0.0.1", tls: bool = False, ca: str = "", **settings) -> Iterator[Edge]:
    upstream = Upstream(tls=tls, host=host, port=port, ca_path=ca)
    with (
        tempfile.TemporaryDirectory(prefix="edge-") as folder,
        running_edge(Path(folder), workers=1, upstream=upstream, **settings) as edge,
    ):
        yield edge


@pytest.fixture(scope="module")
def _both() -> Iterator[Both]:
    with upstream_server() as upstream, _edge_before(upstream.port, extra_paths=("/v1/notes",)) as edge:
        yield Both(edge, upstream)


@pytest.fixture
def both(_both: Both) -> Both:
    _both.edge.forget()
    _both.upstream.asked.clear()
    _both.upstream.headers, _both.upstream.status, _both.upstream.answer = {}, 200, None
    return _both


@pytest.mark.parametrize(("method", "path"), _OF_SDKS)
def test_what_is_none_of_events_goes_upstream_unchanged(both, method, path):
    sent = {"statsig-api-key": "secret-x", "Origin": "https://shop.example", "x-request-id": "mine"}

    answer = both.edge.post(b"body \xff", path=path, method=method, headers=sent)

    assert (answer.status, answer.json) == (200, {"path": path, "method": method})
    [asked] = both.upstream.asked
    assert (asked.method, asked.path, asked.body) == (method, path, b"body \xff")
    assert asked.headers["host"] == f"127.0.0.1:{both.upstream.port}"
    assert {name: asked.headers[name.lower()] for name in sent} == sent
    assert both.edge.calls == []


def test_upstream_learns_who_asks_and_nothing_of_how_they_came_here(both):
    forged = {
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "events.shop.example",
        "x-envoy-retry-on": "5xx",
        "x-envoy-original-path": "/v1/log_event",
        "x-sluice-query": "?k=x",
    }

    both.edge.post(path="/v1/initialize", headers=forged)

    [asked] = both.upstream.asked
    assert asked.headers["x-forwarded-for"].replace(" ", "") == "203.0.113.7,127.0.0.1"
    assert {name for name in asked.headers if name.startswith(("x-envoy", "x-sluice", "x-forwarded"))} == {
        "x-forwarded-for"
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v1/log_event",
        "/v1/rgstr?k=client-x",
        "/v1/rgstr_b",
        "/v1/webhooks/event_webhook",
        "/v1/log_custom_exposure",
        "/v1/notes",
    ],
)
@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"method": "GET"},
        {"method": "OPTIONS"},
        {"headers": {"Content-Type": "application/xml"}},
        {"headers": {"Content-Encoding": "deflate"}},
        {"body": b"x" * (MAX_BODY + 1)},
    ],
)
def test_events_never_go_upstream(both, path, request_):
    assert both.edge.post(path=path, **request_).status in {202, 204, 405, 413, 415}
    assert both.upstream.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/log_event/",
        "/v1/Log_Event",
        "/v1/log_events",
        "/v1//log_event/x",
        "/v1/rgstr_c",
        "/v2/rgstr",
        "/v1/webhooks",
        "/v1/%6cog_event/",
        "/v1/log%5fevent",
        "/v1/x/../log_event/",
        "/v1/initialize;x",
        "/",
        "/v3/initialize",
        "/v1initialize",
    ],
)
def test_what_may_be_events_or_is_nothing_an_sdk_asks_is_not_found(both, path):
    assert both.edge.post(path=path).status in {202, 404}
    assert both.upstream.asked == []


def test_the_answer_of_upstream_is_passed_on_with_its_own_cors_headers(both):
    both.upstream.headers = {"access-control-allow-origin": "https://shop.example", "etag": '"1"', "x-request-id": "up"}
    both.upstream.status, both.upstream.answer = 404, b"none"

    answer = both.edge.post(path="/v1/initialize")

    assert (answer.status, answer.body) == (404, b"none")
    assert answer.header("access-control-allow-origin") == "https://shop.example"
    assert (answer.header("etag"), answer.header("x-request-id")) == ('"1"', "up")


def test_a_large_body_is_refused_and_the_largest_is_passed_on(both):
    assert both.edge.post(b"x" * MAX_BODY, path="/v1/initialize").status == 200
    assert both.edge.post(b"x" * MAX_BODY, path="/v1/initialize", chunked=True).status == 200
    assert both.edge.post(b"x" * (MAX_BODY + 1), path="/v1/initialize").status == 413
    assert both.edge.post(b"x" * (MAX_BODY + 1), path="/v1/initialize", chunked=True).status == 413
    assert [len(asked.body) for asked in both.upstream.asked if len(asked.body) == MAX_BODY] == [MAX_BODY] * 2


def test_https_is_spoken_to_a_server_that_the_ca_vouches_for():
    with (
        upstream_server("localhost") as upstream,
        _edge_before(upstream.port, host="localhost", tls=True, ca=_CA) as edge,
    ):
        # The name is looked up while requests come already.
        wait_until(lambda: edge.post(path="/v1/initialize").status == 200, within_s=10)

    assert upstream.asked[-1].headers["host"] == f"localhost:{upstream.port}"


@pytest.mark.parametrize(
    ("certificate", "host", "ca"),
    [
        pytest.param("elsewhere.example", "localhost", _CA, id="a name of another"),
        pytest.param("localhost", "127.0.0.1", _CA, id="an address that the certificate doesn't name"),
        pytest.param("localhost", "localhost", "", id="a CA that this system doesn't know"),
        pytest.param(None, "localhost", _CA, id="no TLS at all"),
    ],
)
def test_a_server_that_can_not_be_trusted_is_told_nothing(certificate, host, ca):
    with upstream_server(certificate) as upstream, _edge_before(upstream.port, host=host, tls=True, ca=ca) as edge:
        answers = []

        def it_was_tried() -> bool:
            answers.append(edge.post(b"private", path="/v1/initialize"))
            return upstream.connections > 0

        wait_until(it_was_tried, within_s=10)
        assert {(answer.status, answer.json["message"]) for answer in answers} == {(503, _DOWN["message"])}
        assert upstream.asked == []
        assert edge.post().status == 202


def test_where_upstream_is_down_it_is_503_in_json_and_events_are_taken():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with _edge_before(port) as edge:
        answer = edge.post(path="/v1/initialize")

        assert (answer.status, answer.json, answer.header("content-type")) == (503, _DOWN, "application/json")
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("retry-after")
        assert edge.post().status == 202


def test_a_name_that_nobody_knows_keeps_no_event_waiting():
    with _edge_before(443, host="nowhere.invalid", tls=True) as edge:
        assert edge.post().status == 202
        assert edge.post(path="/v1/initialize").json == _DOWN


def test_requests_that_hang_upstream_take_no_place_of_events():
    with upstream_server() as upstream, _edge_before(upstream.port, max_requests=4) as edge:
        upstream.may_answer.clear()
        with ThreadPoolExecutor(16) as pool:
            hanging = [pool.submit(edge.post, b"", path="/v1/initialize") for _ in range(16)]
            wait_until(lambda: len(upstream.asked) == 16, within_s=10)

            assert [edge.post().status for _ in range(8)] == [202] * 8
            upstream.may_answer.set()
            assert [one.result(10).status for one in hanging] == [200] * 16


@pytest.mark.parametrize(("method", "path"), _OF_SDKS)
def test_without_an_upstream_it_is_404_at_once(edge, method, path):
    # Of a body only the length is told: an answer that waited for it would come too late.
    request = f"{method} {path} HTTP/1.1\r\nHost: sluice\r\nContent-Length: 1000000\r\n\r\n".encode()

    with socket.create_connection(edge.address, timeout=5) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"status":404' in answer
    assert edge.calls == []


@pytest.mark.parametrize("upstream", [None, Upstream(tls=False, host="127.0.0.1", port=9)])
def test_no_body_and_no_key_of_such_a_request_is_in_any_message(short_folder, capfd, upstream):
    with running_edge(short_folder, workers=1, access_log=True, upstream=upstream) as edge:
        for method, path in _OF_SDKS:
            edge.post(
                b'{"user":{"privateAttributes":"hidden"}}',
                path=path.replace("-x", "-hidden"),
                method=method,
                headers={"statsig-api-key": "secret-hidden"},
            )
        edge.post(b"hidden", path="/v1/client-hidden/x?k=client-hidden")
        edge.post(path="/v1/log_event?k=client-hidden")

    written = capfd.readouterr().err
    assert written.count('"path":"/v1/initialize"') == 2
    assert '"path":"/v1/log_event"' in written
    assert "left out" in written
    assert "hidden" not in written


@pytest.mark.parametrize(
    ("url", "upstream"),
    [
        ("https://api.example.com", Upstream(tls=True, host="api.example.com", port=443)),
        ("http://Localhost:9000/", Upstream(tls=False, host="localhost", port=9000)),
        ("https://[::1]:8443", Upstream(tls=True, host="::1", port=8443)),
        ("http://10.0.0.1", Upstream(tls=False, host="10.0.0.1", port=80)),
    ],
)
def test_an_upstream_is_read_from_its_url(url, upstream):
    assert read_upstream(url) == upstream


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://api.example.com/v1",
        "https://api.example.com?x=1",
        "https://user:s3cret@api.example.com",
        "https://api.example.com:0",
        "https://api.example.com:65536",
        "https://1.2.3",
        "https://[::1",
        "https://a b",
        "https://a\r\nb",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url):
    with pytest.raises(UnusableEdgeConfig) as refused:
        read_upstream(url)

    assert refused.value.hint
    assert "s3cret" not in str(refused.value)
