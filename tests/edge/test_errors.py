import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.support.edge import MAX_BODY, exchange, running_edge
from tests.support.fake_worker import REQUEST_ID, Refusal

TOO_LARGE = b"x" * (MAX_BODY + 1)
UNAVAILABLE = {"message": "the service can't take the request now; send it again later", "status": 503}


@pytest.mark.parametrize(
    ("status", "message", "request_"),
    [
        (404, "got /v1/unknown;", {"path": "/v1/unknown?k=secret"}),
        (404, "path: expected /v1/log_event", {"path": "/", "method": "GET"}),
        (404, "path: expected /v1/log_event", {"path": "/v1/log_event/"}),
        (404, "path: expected /v1/log_event", {"path": "/v1/download_config_specs"}),
        (404, "path: expected /v1/log_event", {"path": "/sluice.events.v1.HttpEventsService/LogEvent"}),
        (405, "expected POST", {"method": "GET"}),
        (405, "expected POST", {"method": "PUT", "path": "/v1/rgstr"}),
        (405, "expected POST", {"method": "DELETE", "path": "/v1/webhooks/event_webhook"}),
        (405, "expected GET", {"path": "/readyz"}),
        (415, "content-type", {"headers": {"Content-Type": "application/xml"}}),
        (415, "content-type", {"headers": {"Content-Type": "application/jsonp"}}),
        (415, "content-type", {"headers": {"Content-Type": "application/json; ü"}}),
        (415, "content-type", {"headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
        (415, "content-encoding", {"headers": {"Content-Encoding": "deflate"}}),
        (415, "content-encoding", {"headers": {"Content-Encoding": "x-gzip"}}),
        (415, "content-encoding", {"headers": {"Content-Encoding": "gzip, gzip"}}),
        (415, "content-encoding", {"headers": {"Content-Encoding": "gzip,br"}}),
        (413, "at most 1048576 bytes", {"body": TOO_LARGE}),
        # Each of these is wrong in two ways; the order is 404, 405, 415, 413.
        (404, "path: expected /v1/log_event", {"path": "/v1/unknown", "method": "GET"}),
        (404, "path: expected /v1/log_event", {"path": "/v1/unknown", "body": TOO_LARGE}),
        (405, "expected POST", {"method": "PUT", "headers": {"Content-Type": "application/xml"}}),
        (405, "expected POST", {"method": "PUT", "body": TOO_LARGE}),
        (415, "content-type", {"body": TOO_LARGE, "headers": {"Content-Type": "application/xml"}}),
        (415, "content-encoding", {"body": TOO_LARGE, "headers": {"Content-Encoding": "deflate"}}),
    ],
)
def test_what_no_worker_needs_to_see_is_refused_in_json(edge, status, message, request_):
    answer = edge.post(**request_)

    assert answer.status == status
    assert set(answer.json) == {"message", "status"}
    assert answer.json["status"] == status
    assert message in answer.json["message"]
    assert answer.header("content-type") == "application/json"
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("x-request-id") != REQUEST_ID
    assert len(answer.header("x-request-id")) == 36
    assert edge.calls == []


@pytest.mark.parametrize(("path", "allow"), [("/v1/log_event", "POST, OPTIONS"), ("/livez", "GET")])
def test_405_says_what_is_allowed(edge, path, allow):
    assert edge.post(path=path, method="PATCH").header("allow") == allow


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        pytest.param(400, b"GARBAGE\r\n\r\n", id="no HTTP"),
        pytest.param(
            400, b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", id="length no number"
        ),
        pytest.param(400, b"POST /v1/log_event HTTP/1.1\r\nContent-Length: 0\r\n\r\n", id="no host"),
        pytest.param(
            400,
            b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            id="chunk no number",
        ),
        pytest.param(
            431, b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", id="headers too large"
        ),
        pytest.param(431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n", id="too many headers"),
    ],
)
def test_malformed_http_is_refused_in_json(edge, status, sent):
    answer = exchange(edge.address, sent)

    assert answer.status == status
    assert answer.json["status"] == status
    assert "%" not in answer.json["message"]
    assert answer.header("content-type") == "application/json"
    assert answer.header("access-control-allow-origin") == "*"
    assert len(answer.header("x-request-id")) == 36


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a&b", "1"),
        ("!", "1"),
        ("x~", "1"),
        ("x-trace-bin", "no base64!"),
        ("grpc-timeout", "soon"),
        ("grpc-timeout", "1n"),
        ("grpc-encoding", "snappy"),
    ],
)
def test_what_means_something_to_grpc_alone_disturbs_no_http_request(edge, name, value):
    answer = edge.post(headers={name: value})

    assert (answer.status, answer.header("x-request-id")) == (202, REQUEST_ID)
    assert edge.calls[0].header(name) is None


def test_an_error_of_the_grpc_library_itself_is_503_with_a_request_id(edge):
    # More metadata than gRPC takes by default, as the fake workers do.
    answer = edge.post(headers={"x-large": "x" * 20_000})

    assert (answer.status, answer.json) == (503, UNAVAILABLE)
    assert len(answer.header("x-request-id")) == 36


@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        (Refusal(grpc.StatusCode.INVALID_ARGUMENT, "bad event", 400), 400, {"message": "bad event", "status": 400}),
        (Refusal(grpc.StatusCode.UNAUTHENTICATED, "no key"), 401, {"message": "no key"}),
        (Refusal(grpc.StatusCode.OUT_OF_RANGE, "too large", 413), 413, {"message": "too large", "status": 413}),
        (Refusal(grpc.StatusCode.UNAVAILABLE, "full", 503), 503, {"message": "full", "status": 503}),
        (Refusal(grpc.StatusCode.UNAVAILABLE, "bye", with_details=False), 503, {"message": "bye"}),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", with_details=False), 503, UNAVAILABLE),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", 429), 503, UNAVAILABLE),
        (Refusal(grpc.StatusCode.CANCELLED, "gone", with_details=False), 503, UNAVAILABLE),
        (Refusal(grpc.StatusCode.INTERNAL, "bug", 500), 503, UNAVAILABLE),
        (Refusal(grpc.StatusCode.INTERNAL, "bug", with_details=False), 503, UNAVAILABLE),
        (
            Refusal(grpc.StatusCode.INVALID_ARGUMENT, 'umlaut ü "%\n', 400),
            400,
            {"message": 'umlaut ü "%\n', "status": 400},
        ),
    ],
)
def test_a_workers_refusal_is_printed_as_the_contract_says_and_never_as_429(edge, refusal, status, body):
    async def refuse(_call):
        return refusal

    for worker in edge.workers:
        worker.answer = refuse

    answer = edge.post()

    assert (answer.status, answer.json) == (status, body)
    assert answer.header("content-type") == "application/json"
    assert answer.header("x-request-id") == REQUEST_ID
    assert answer.header("access-control-allow-origin") == "*"
    assert not {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-http-status"} & set(answer.headers)


def test_a_long_message_is_printed_whole(edge):
    message = "events[0].time: expected integer, got string; " * 356

    async def refuse(_call):
        return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message[:2000], 400, detailed_message=message)

    for worker in edge.workers:
        worker.answer = refuse

    assert edge.post().json == {"message": message, "status": 400}


@pytest.fixture(scope="module")
def impatient():
    with (
        tempfile.TemporaryDirectory(prefix="edge-") as folder,
        running_edge(Path(folder), request_timeout_s=1, answer_timeout_s=1, max_requests=1) as edge,
    ):
        yield edge


def test_a_body_that_does_not_arrive_in_time_is_408(impatient):
    answer = exchange(
        impatient.address,
        b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    )

    assert (answer.status, answer.json["status"]) == (408, 408)
    assert "1 s" in answer.json["message"]
    assert answer.header("access-control-allow-origin") == "*"


def test_a_worker_that_does_not_answer_is_504_and_more_requests_than_fit_are_503(impatient):
    async def hang(_call):
        await asyncio.Event().wait()  # until Envoy gives the call up

    impatient.forget()
    for worker in impatient.workers:
        worker.answer = hang

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: impatient.post(), range(4)))

    assert sorted(answer.status for answer in answers) == [503, 503, 503, 504]
    assert all(answer.json["status"] == answer.status for answer in answers)
    assert all(answer.header("access-control-allow-origin") == "*" for answer in answers)


@pytest.mark.parametrize(
    ("first_line", "headers", "status"),
    [
        pytest.param(b"POST /\xff\xfe\xc3 HTTP/1.1", b"", 400, id="a path that is not ASCII"),
        pytest.param(b'POST /a"b\\c%0d%0a HTTP/1.1', b"", 404, id="a path with what JSON escapes"),
        pytest.param(b"POST /" + b"p" * 5000 + b" HTTP/1.1", b"", 404, id="a long path"),
        pytest.param(b"POST /nothing?k=client-0123456789 HTTP/1.1", b"", 404, id="a key in the address"),
        pytest.param(b"PROPFIND /v1/log_event HTTP/1.1", b"", 405, id="a method of WebDAV"),
        pytest.param(
            b"POST /v1/log_event HTTP/1.1", b'Content-Type: a/"\\\xff\xfe', 415, id="a content type of any bytes"
        ),
        pytest.param(b"POST /v1/log_event HTTP/1.1", b"Content-Type: " + b"x" * 5000, 415, id="a long content type"),
    ],
)
def test_what_was_found_is_told_in_valid_json_and_briefly(edge, first_line, headers, status):
    lines = [first_line, b"Host: x", b"Content-Length: 0", *([headers] if headers else [])]
    answer = exchange(edge.address, b"\r\n".join(lines) + b"\r\n\r\n")

    assert (answer.status, answer.json["status"]) == (status, status)
    assert ", got " in answer.json["message"]
    assert len(answer.body) < 1000
    assert "client-0123456789" not in answer.json["message"]
