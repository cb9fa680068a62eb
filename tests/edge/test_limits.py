import random

import pytest

from sluice.edge import limits
from sluice.error_details import too_large_message
from tests.support.edge import MAX_BODY

TOO_LARGE = {"message": too_large_message(MAX_BODY), "status": 413}


def _padded(size: int) -> bytes:
    return b'{"events":[],"pad":"' + b"x" * (size - 22) + b'"}'


def _realistic(size: int) -> bytes:
    chance = random.Random(1)
    events = b",".join(b'{"userID":"%d","time":%d}' % (chance.randrange(10**9), n) for n in range(size // 25))
    return (b'{"events":[' + events)[:size].ljust(size, b" ")


@pytest.mark.parametrize("content", [_padded, _realistic])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_the_limit_passes_whole_and_one_byte_more_is_413(edge, chunked, content):
    fits = edge.post(content(MAX_BODY), chunked=chunked)
    too_large = edge.post(content(MAX_BODY + 1), chunked=chunked)

    assert fits.status == 202
    assert [call.body for call in edge.calls] == [content(MAX_BODY)]
    assert (too_large.status, too_large.json) == (413, TOO_LARGE)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"headers": {"Content-Encoding": "gzip"}}, id="gzip"),
        pytest.param({"path": "/v1/log_event?gz=1"}, id="gz=1"),
        pytest.param({"headers": {"Content-Encoding": "zstd"}}, id="zstd"),
        pytest.param({"headers": {"Content-Encoding": "br"}}, id="br"),
    ],
)
def test_of_packed_bodies_the_limit_holds_on_the_wire(edge, request_):
    noise = random.Random(1).randbytes(MAX_BODY + 1)

    assert edge.post(noise, **request_).status == 413
    assert edge.post(noise[:MAX_BODY], **request_).status == 202
    assert [call.body for call in edge.calls] == [noise[:MAX_BODY]]


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("max_body", [1024, 10 * 1024**2, 100 * 1024**2])
def test_what_holds_a_body_stands_above_what_refuses_one(max_body, typed):
    refuses = limits.grpc_body_bytes(max_body)
    receives = limits.max_receive_message_bytes(max_body, typed=typed)

    assert max_body < refuses < receives < limits.buffer_bytes(max_body, typed=typed)
