"""gRPC-Web at the edge, in bytes; tests/clients calls it with real clients."""

import asyncio
import base64
import struct
import tempfile
from pathlib import Path

import grpc
import httpx
import pytest

from sluice.error_details import too_large_message
from tests.support.edge import MAX_BODY, running_edge
from tests.support.fake_worker import REQUEST_ID, Refusal

LOG_EVENT = "/sluice.events.v1.EventsService/LogEvent"
BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text+proto"


def _post(edge, message=b"", content_type=BINARY, **headers):
    frame = struct.pack(">BI", 0, len(message)) + message
    return _post_body(edge, base64.b64encode(frame) if "-text" in content_type else frame, content_type, **headers)


def _post_body(edge, body, content_type, **more):
    headers = {"Content-Type": content_type, "Accept": content_type, "X-Grpc-Web": "1"} | more
    return httpx.post("http://{}:{}{}".format(*edge.address, LOG_EVENT), content=body, headers=headers, timeout=10)


def _answer_with(edge, answer):
    for worker in edge.workers:
        worker.answer = answer


def _decode_padded_parts(text):
    """A message and the trailers are encoded each for itself."""
    return b"".join(base64.b64decode(text[start : start + 4]) for start in range(0, len(text), 4))


@pytest.mark.parametrize(
    ("content_type", "unwrap"),
    [
        ("application/grpc-web", bytes),
        (BINARY, bytes),
        ("application/grpc-web-text", _decode_padded_parts),
        (TEXT, _decode_padded_parts),
    ],
)
@pytest.mark.parametrize("refused", [False, True])
def test_a_worker_is_called_and_its_answer_framed(edge, content_type, unwrap, refused):
    async def refuse(_call):
        return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "no") if refused else None

    _answer_with(edge, refuse)

    answer = _post(edge, content_type=content_type)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/grpc-web")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-request-id"] == REQUEST_ID
    assert b"grpc-status:" + (b"3" if refused else b"0") in unwrap(answer.content)
    assert [call.path for call in edge.calls] == [LOG_EVENT]


@pytest.mark.parametrize("content_type", [BINARY, TEXT])
def test_a_message_of_the_limit_passes_whole_and_one_byte_more_is_invalid(edge, content_type):
    largest = _post(edge, b"x" * MAX_BODY, content_type)
    larger = _post(edge, b"x" * (MAX_BODY + 1), content_type)

    assert [len(call.message) for call in edge.calls] == [MAX_BODY]
    assert largest.status_code == 200
    assert (larger.status_code, larger.headers["grpc-status"]) == (200, "3")
    assert larger.headers["grpc-message"] == too_large_message(MAX_BODY)
    assert larger.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("deadline", ["zz", "10", "123456789S", "-1S", "1S,2S"])
def test_a_deadline_that_is_none_is_invalid_and_reaches_no_worker(edge, deadline):
    answer = _post(edge, **{"grpc-timeout": deadline})

    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "3")
    assert "grpc-timeout" in answer.headers["grpc-message"]
    assert edge.calls == []


@pytest.mark.parametrize(
    "name", ["a&b", "!", "x-bin", "grpc-trace-bin", "grpc-previous-rpc-attempts", "grpc-retry-pushback-ms"]
)
def test_headers_that_only_grpc_itself_would_read_reach_no_worker(edge, name):
    assert _post(edge, **{name: "!!!", "grpc-timeout": "10S"}).headers.get("grpc-status", "0") == "0"
    assert edge.calls[0].header(name) is None


def test_text_that_is_no_base64_is_invalid(edge):
    answer = _post_body(edge, b"!" * 8, TEXT)

    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "3")
    assert "base64" in answer.headers["grpc-message"]
    assert edge.calls == []


@pytest.mark.parametrize(
    "content_type", ["application/grpc-web+json", "application/grpc-web+thrift", f"{BINARY}; charset=utf-8"]
)
def test_messages_in_another_format_are_415_at_once(edge, content_type):
    answer = _post(edge, content_type=content_type)

    assert (answer.status_code, answer.headers["grpc-status"]) == (415, "12")
    assert b"send application/grpc or application/grpc-web" in answer.content
    assert edge.calls == []


@pytest.fixture(scope="module")
def impatient():
    with tempfile.TemporaryDirectory(prefix="edge-") as folder, running_edge(Path(folder), answer_timeout_s=1) as edge:
        yield edge


def test_no_answer_in_time_is_no_call_to_send_it_again(impatient):
    async def hang(_call):
        await asyncio.Event().wait()  # until Envoy gives the call up

    _answer_with(impatient, hang)

    answer = _post(impatient)

    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "4")  # DEADLINE_EXCEEDED
    assert (
        answer.headers["grpc-message"]
        == "no worker answered within 1 s; the events may be on disk, or not: send them again"
    )
    assert len(impatient.calls) == 1


def test_without_a_worker_the_call_is_unavailable(impatient):
    for worker in impatient.workers:
        worker.stop()
    impatient.await_healthy(0)

    answer = _post(impatient)

    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "14")
    assert answer.headers["access-control-allow-origin"] == "*"
