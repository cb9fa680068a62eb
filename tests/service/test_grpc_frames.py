"""Requests that no client library would send, through the real doors: none is told OK for what is not stored."""

import base64
from collections.abc import Iterator

import pytest

from sluice.events.v1 import events_pb2 as pb
from tests.support.http2 import Http2Client, frame
from tests.support.log_records import NewRecords
from tests.support.service import Service

_LOG_EVENT = "/sluice.events.v1.EventsService/LogEvent"
_MESSAGE = pb.LogEventRequest(
    events=[pb.Event(event_name="e", time=1767225600000, user=pb.User(user_id="u1"))]
).SerializeToString()
_JSON = b'{"events":[{"user":{"userID":"u1"},"eventName":"e","time":1767225600000}]}'

_OK, _INVALID_ARGUMENT, _INTERNAL = 0, 3, 13

_BROKEN = {
    "no message": (b"", _INVALID_ARGUMENT),
    "flag 2": (frame(_MESSAGE, flag=2), _INVALID_ARGUMENT),
    "flag 0xff": (frame(_MESSAGE, flag=0xFF), _INVALID_ARGUMENT),
    "flag 1 without an encoding": (frame(_MESSAGE, flag=1), _INTERNAL),
    "length longer than what follows": (frame(_MESSAGE, length=len(_MESSAGE) + 9), _INVALID_ARGUMENT),
    "length shorter than what follows": (frame(_MESSAGE, length=len(_MESSAGE) - 3), _INVALID_ARGUMENT),
    "largest length": (frame(_MESSAGE, length=2**32 - 1), _INVALID_ARGUMENT),
    "no prefix": (_MESSAGE, _INVALID_ARGUMENT),
    "two messages": (frame(_MESSAGE) * 2, _INVALID_ARGUMENT),
    "a message and one with flag 2": (frame(_MESSAGE) + frame(_MESSAGE, flag=2), _INVALID_ARGUMENT),
    "a message and a byte": (frame(_MESSAGE) + b"\x07", _INVALID_ARGUMENT),
    "truncated protobuf": (frame(_MESSAGE[:-3]), _INVALID_ARGUMENT),
    "no protobuf": (frame(b"\xff" * 20), _INVALID_ARGUMENT),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # Nothing is sealed meanwhile: NewRecords reads what is open.
    with Service(tmp_path_factory.mktemp("service") / "data", "--workers", "1", "--seal-age", "1h") as running:
        yield running


@pytest.fixture(scope="module")
def stored(service: Service) -> NewRecords:
    return NewRecords(service.data_dir / "log")


@pytest.fixture
def client(service: Service) -> Iterator[Http2Client]:
    with Http2Client(service.grpc) as opened:
        yield opened


def _headers(service: Service, content_type: str) -> dict[str, str]:
    return {"content-type": content_type, "te": "trailers", "statsig-api-key": service.server_key}


def _rest_headers(service: Service, **more: str) -> dict[str, str]:
    return _headers(service, "application/json") | {"statsig-client-time": "1767225600000"} | more


@pytest.mark.parametrize(
    "content_type", ["application/grpc", "application/grpc-web+proto", "application/grpc-web-text"]
)
@pytest.mark.parametrize("cut", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize(("body", "status"), _BROKEN.values(), ids=_BROKEN)
def test_a_malformed_call_is_refused_stores_nothing_and_disturbs_no_other(
    service: Service, stored: NewRecords, client: Http2Client, *, body: bytes, status: int, cut: bool, content_type: str
) -> None:
    def encoded(data: bytes) -> bytes:
        return base64.b64encode(data) if "-text" in content_type else data

    headers = _headers(service, content_type)
    stored.read()
    stream = client.begin(_LOG_EVENT, headers)
    if cut and body:  # Envoy closes a connection on which several frames in a row are empty
        client.send(stream, encoded(body[:6]))
        client.send(stream, encoded(body[6:]))
        client.send(stream, b"", ends=True)
    else:
        client.send(stream, encoded(body), ends=True)
    refused = client.answer(stream)

    assert (refused.headers[":status"], refused.grpc_status) == ("200", status)
    assert stored.read() == []
    assert client.post(_LOG_EVENT, headers, encoded(frame(_MESSAGE))).grpc_status == _OK
    with Http2Client(service.grpc) as another:
        assert another.post(_LOG_EVENT, headers, encoded(frame(_MESSAGE))).grpc_status == _OK
    assert [record.body for record in stored.read()] == [_MESSAGE] * 2


def test_a_message_without_events_is_ok_and_writes_no_record(
    service: Service, stored: NewRecords, client: Http2Client
) -> None:
    stored.read()
    assert client.post(_LOG_EVENT, _headers(service, "application/grpc"), frame(b"")).grpc_status == _OK
    assert stored.read() == []


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        pytest.param(_LOG_EVENT, "application/grpc", frame(_MESSAGE), id="gRPC"),
        pytest.param(_LOG_EVENT, "application/grpc-web+proto", frame(_MESSAGE), id="gRPC-Web"),
        pytest.param("/v1/log_event", "application/json", _JSON, id="REST"),
    ],
)
@pytest.mark.parametrize("part", ["half", "whole"])
def test_a_request_that_is_broken_off_before_its_end_stores_nothing(
    service: Service, stored: NewRecords, client: Http2Client, *, path: str, content_type: str, body: bytes, part: str
) -> None:
    headers = _rest_headers(service) | {"content-type": content_type}
    stored.read()
    stream = client.begin(path, headers)
    client.send(stream, body if part == "whole" else body[: len(body) // 2])
    client.reset(stream)

    answer = client.post(path, headers, body)
    assert answer.headers[":status"] in {"200", "202"}
    assert len(stored.read()) == 1


@pytest.mark.parametrize(
    ("length", "body"),
    [
        pytest.param(len(_JSON) + 1, _JSON, id="longer"),
        pytest.param(len(_JSON) - 1, _JSON, id="shorter"),
        pytest.param(len(_JSON), b"", id="and no body"),
    ],
)
def test_a_rest_request_whose_content_length_lies_is_not_accepted(
    service: Service, stored: NewRecords, client: Http2Client, length: int, body: bytes
) -> None:
    stored.read()
    refused = client.post("/v1/log_event", _rest_headers(service, **{"content-length": str(length)}), body)

    assert refused.was_reset or refused.headers[":status"] == "400"
    assert stored.read() == []
    assert client.post("/v1/log_event", _rest_headers(service), _JSON).headers[":status"] == "202"
    assert len(stored.read()) == 1
