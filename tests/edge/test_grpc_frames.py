"""Calls whose body is not one message in gRPC's framing: refused at the edge, as a worker may misread them."""

import base64
import gzip

import pytest

from tests.support.edge import MAX_BODY
from tests.support.http2 import Http2Client, frame

LOG_EVENT = "/sluice.events.v1.EventsService/LogEvent"
MESSAGE = b"a message"

NATIVE, WEB, WEB_TEXT = "application/grpc", "application/grpc-web+proto", "application/grpc-web-text"
INVALID_ARGUMENT, UNIMPLEMENTED, INTERNAL = 3, 12, 13

BROKEN = {
    "flag 2": frame(MESSAGE, flag=2),
    "flag 3": frame(MESSAGE, flag=3),
    "flag of trailers": frame(MESSAGE, flag=0x80),
    "flag 0xff": frame(MESSAGE, flag=0xFF),
    "length longer than what follows": frame(MESSAGE, length=len(MESSAGE) + 1),
    "length shorter than what follows": frame(MESSAGE, length=len(MESSAGE) - 1),
    "length above the limit": frame(MESSAGE, length=4 * MAX_BODY),
    "largest length": frame(MESSAGE, length=2**32 - 1),
    "length 0 before a message": frame(MESSAGE, length=0),
    "half a prefix": frame(MESSAGE)[:3],
    "no prefix": MESSAGE,
    "two messages": frame(MESSAGE) * 2,
    "a message and half of one": frame(MESSAGE) + frame(MESSAGE)[:7],
    "an empty message and another": frame(b"") + frame(MESSAGE),
}
COMPRESSED = {"plain": frame(MESSAGE, flag=1), "gzip": frame(gzip.compress(MESSAGE), flag=1)}


@pytest.fixture
def client(edge):
    with Http2Client("{}:{}".format(*edge.address)) as opened:
        yield opened


def _post(client, body, content_type=NATIVE, **headers):
    headers = {"content-type": content_type, "te": "trailers"} | headers
    return client.post(LOG_EVENT, headers, base64.b64encode(body) if "-text" in content_type else body)


@pytest.mark.parametrize("content_type", [NATIVE, WEB, WEB_TEXT])
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_is_invalid_and_reaches_no_worker(edge, client, body, content_type):
    answer = _post(client, body, content_type)

    assert (answer.headers[":status"], answer.grpc_status, answer.reason) == (
        "200",
        INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    assert answer.headers["grpc-message"].startswith("body: expected one message")
    assert edge.calls == []
    assert _post(client, frame(MESSAGE), content_type).grpc_status == 0
    assert [call.message for call in edge.calls] == [MESSAGE]


@pytest.mark.parametrize("content_type", [NATIVE, WEB, WEB_TEXT])
@pytest.mark.parametrize("encoding", [{}, {"grpc-encoding": "identity"}], ids=["none", "identity"])
@pytest.mark.parametrize("body", COMPRESSED.values(), ids=COMPRESSED)
def test_a_message_flagged_as_compressed_without_an_encoding_is_internal(edge, client, body, encoding, content_type):
    answer = _post(client, body, content_type, **encoding)

    assert (answer.grpc_status, answer.reason) == (INTERNAL, "UNSUPPORTED_ENCODING")
    assert edge.calls == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "snappy", "no such thing"])
@pytest.mark.parametrize("flag", [0, 1])
def test_any_encoding_but_identity_is_unimplemented(edge, client, encoding, flag):
    answer = _post(client, frame(MESSAGE, flag=flag), **{"grpc-encoding": encoding})

    assert (answer.grpc_status, answer.reason) == (UNIMPLEMENTED, "UNSUPPORTED_ENCODING")
    assert edge.calls == []


@pytest.mark.parametrize("message", [b"", MESSAGE, b"x" * MAX_BODY], ids=["empty", "short", "of the limit"])
@pytest.mark.parametrize("pieces", [1, 2, 40])
def test_a_whole_message_passes_however_it_is_cut_into_frames_of_http2(edge, client, message, pieces):
    body = frame(message)
    step = -(-len(body) // pieces)
    stream = client.begin(LOG_EVENT, {"content-type": NATIVE, "te": "trailers"})
    for start in range(0, len(body), step):
        client.send(stream, body[start : start + step])
    client.send(stream, b"", ends=True)

    assert client.answer(stream).grpc_status == 0
    assert [call.message for call in edge.calls] == [message]
