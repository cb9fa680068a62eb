"""Errors that Envoy itself answers native gRPC callers with: codes, reasons, and what gRPC does with them."""

import asyncio
import base64
import tempfile
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.edge.native_errors import native_errors
from tests.support.edge import MAX_BODY, running_edge
from tests.support.fake_worker import REQUEST_ID, Refusal
from tests.support.grpc_errors import RETRIES, details_of, reason_of

LOG_EVENT = "/sluice.events.v1.EventsService/LogEvent"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture(scope="module")
def _closed():
    with (
        tempfile.TemporaryDirectory(prefix="edge-") as folder,
        running_edge(Path(folder), workers=1, answer_timeout_s=1) as edge,
    ):
        yield edge


@pytest.fixture
def closed(_closed):
    """An edge as one that others can reach: without reflection. Its one worker may be stopped."""
    _closed.forget()
    yield _closed
    _closed.workers[0].start()
    _closed.workers[0].set_serving(True)
    _closed.await_healthy(1)


@pytest.fixture
def channel(closed):
    options = [("grpc.max_send_message_length", -1), ("grpc.service_config", RETRIES)]
    with grpc.insecure_channel("{}:{}".format(*closed.address), options=options) as channel:
        yield channel


def _error(channel, method=LOG_EVENT, message=b"", **named):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(message, timeout=20, **named)
    return caught.value


async def _hang(_call):
    await asyncio.Event().wait()  # until Envoy gives the call up


def _no_answer(edge, channel):
    edge.workers[0].answer = _hang
    return _error(channel)


def _no_worker(edge, channel):
    edge.workers[0].stop()
    return _error(channel)


# How to meet each of them, but for those that are met elsewhere.
CAUSES = {
    "too_large": lambda _, channel: _error(channel, message=b"x" * (MAX_BODY + 1)),
    "unsupported_encoding": lambda _, channel: _error(
        channel, message=b"x" * 10_000, compression=grpc.Compression.Gzip
    ),
    "method_not_found": lambda _, channel: _error(channel, "/sluice.events.v1.Unknown/LogEvent"),
    "reflection_off": lambda _, channel: _error(channel, REFLECTION),
    "no_worker": _no_worker,
    "no_answer": _no_answer,
}


# A worker that is lost amid a call takes a process: tests/service/test_grpc_errors.py. gRPC's own library sends no
# deadline that is none, and no broken frame: test_grpc_web.py, test_grpc_frames.py.
ELSEWHERE = {"worker_lost", "wrong_deadline", "broken_frame", "compressed_flag"}


@pytest.mark.parametrize("name", CAUSES)
def test_each_error_of_envoy_says_its_code_and_reason(closed, channel, name):
    expected = native_errors(closed.config)[name]

    error = CAUSES[name](closed, channel)

    assert (error.code().value[0], error.details()) == (expected.code, expected.message)
    assert reason_of(error) == expected.reason.value
    [info] = details_of(error, error_details_pb2.ErrorInfo)
    assert dict(info.metadata) == {name: str(fact) for name, fact in expected.facts.items()}
    retries = details_of(error, error_details_pb2.RetryInfo)
    assert bool(retries) == (error.code() is grpc.StatusCode.UNAVAILABLE)
    assert len(dict(error.trailing_metadata())["x-request-id"]) == 36


def test_no_error_of_envoy_is_left_untested(closed):
    assert set(CAUSES) | ELSEWHERE == set(native_errors(closed.config))


def test_an_answer_that_never_came_is_not_sent_again_by_grpc(closed, channel):
    assert _no_answer(closed, channel).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(closed.calls) == 1


def test_a_workers_unavailable_is_sent_again_by_grpc_and_keeps_its_request_id(closed, channel):
    async def refuse_twice(_call):
        return Refusal(grpc.StatusCode.UNAVAILABLE, "full", 503) if len(closed.calls) < 3 else None

    async def refuse(_call):
        return Refusal(grpc.StatusCode.UNAVAILABLE, "full", 503)

    closed.workers[0].answer = refuse_twice
    _, accepted = channel.unary_unary(LOG_EVENT).with_call(b"", timeout=20)
    assert len(closed.calls) == 3
    assert dict(accepted.initial_metadata())["x-request-id"] == REQUEST_ID

    closed.workers[0].answer = refuse
    assert dict(_error(channel).trailing_metadata())["x-request-id"] == REQUEST_ID


def test_health_is_reachable_where_reflection_is_not(channel):
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_grpc_web_gets_the_details_in_its_headers(closed):
    url = "http://{}:{}{}".format(*closed.address, LOG_EVENT)
    headers = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}

    answer = httpx.post(url, content=b"x" * (MAX_BODY + 10), headers=headers)

    details = answer.headers["grpc-status-details-bin"]
    status = Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert status.message == answer.headers["grpc-message"] == native_errors(closed.config)["too_large"].message
    assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]
