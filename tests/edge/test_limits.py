import gzip
import random
from pathlib import Path

import brotli
import pytest
import zstandard

from sluice.edge import limits
from tests.support.edge import MAX_BODY

TOO_LARGE = {"message": f"request body is larger than {MAX_BODY} bytes; send fewer events per request", "status": 413}


def _padded(size: int) -> bytes:
    return b'{"events":[],"pad":"' + b"x" * (size - 22) + b'"}'


def _realistic(size: int) -> bytes:
    chance = random.Random(1)
    events = b",".join(b'{"userID":"%d","time":%d}' % (chance.randrange(10**9), n) for n in range(size // 25))
    return (b'{"events":[' + events)[:size].ljust(size, b" ")


WAYS = {
    "plain": (lambda body: body, {}),
    "gzip": (gzip.compress, {"headers": {"Content-Encoding": "gzip"}}),
    "gz=1": (gzip.compress, {"path": "/v1/log_event?gz=1"}),
}


@pytest.mark.parametrize("content", [_padded, _realistic])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_body_of_the_limit_passes_whole_and_one_byte_more_is_413(edge, way, chunked, content):
    pack, request = WAYS[way]

    fits = edge.post(pack(content(MAX_BODY)), chunked=chunked, **request)
    too_large = edge.post(pack(content(MAX_BODY + 1)), chunked=chunked, **request)

    assert fits.status == 202
    assert [call.body for call in edge.calls] == [content(MAX_BODY)]
    assert (too_large.status, too_large.json) == (413, TOO_LARGE)


@pytest.mark.parametrize(("encoding", "pack"), [("zstd", zstandard.compress), ("br", brotli.compress)])
def test_of_zstd_and_br_the_limit_holds_on_the_wire(edge, encoding, pack):
    noise = random.Random(1).randbytes(MAX_BODY)
    packed = pack(noise)
    assert len(packed) > MAX_BODY

    assert edge.post(packed, headers={"Content-Encoding": encoding}).status == 413
    assert edge.post(packed[:MAX_BODY], headers={"Content-Encoding": encoding}).status == 202
    assert [call.body for call in edge.calls] == [packed[:MAX_BODY]]


def test_a_gzip_bomb_is_413_and_costs_bounded_memory(edge):
    bomb = gzip.compress(bytes(400 * MAX_BODY))
    before = _peak_kib(edge.envoy.pid)

    answer = edge.post(bomb, headers={"Content-Encoding": "gzip"})

    assert answer.status == 413
    assert edge.calls == []
    # One read of the connection, inflated, in two copies at most.
    assert _peak_kib(edge.envoy.pid) - before < 2 * 1032 * limits.READ_BYTES // 1024


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_what_holds_a_body_stands_above_what_refuses_one():
    for max_body in (1024, 10 * 1024**2, 100 * 1024**2):
        refuses = limits.grpc_body_bytes(max_body)

        assert max_body < refuses < limits.max_receive_message_bytes(max_body) < limits.buffer_bytes(max_body)
