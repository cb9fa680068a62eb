"""Bodies in gzip, zstd and br, which Envoy hands on as they come."""

from __future__ import annotations

import gzip
import random
import threading
import zlib
from typing import TYPE_CHECKING

import brotli
import grpc
import pytest
import zstandard
from google.rpc import status_pb2

from sluice.ingest.outcome import TooLarge
from sluice.ingest.unpack import unpacked
from sluice.ingest.violations import Invalid
from tests.support.ingest_server import rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.ingest_server import IngestServer

_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "br": brotli.compress,
}
_LIMIT = 1 << 20  # of tests/support/ingest_server.py


def _of_size(size: int) -> bytes:
    return b'{"events":[],"pad":"' + b"x" * (size - 22) + b'"}'


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "GZip", "ZSTD", "Br"])
def test_a_body_of_the_limit_is_kept_unpacked(
    server: IngestServer, channel: grpc.Channel, server_key: str, encoding: str
) -> None:
    event = b'{"events":[{"user":{"userID":"u1"},"eventName":"bought","time":1767225600000}],"pad":"'
    body = event + b"x" * (_LIMIT - len(event) - 2) + b'"}'

    answer = rest(
        channel,
        _PACK[encoding.lower()](body),
        ("statsig-api-key", server_key),
        ("statsig-client-time", "1767225600000"),
        ("content-encoding", encoding),
    )

    assert answer.code is grpc.StatusCode.OK
    assert [entry.body for entry in server.log.entries] == [body]


@pytest.mark.parametrize("encoding", _PACK)
@pytest.mark.parametrize("size", [_LIMIT + 1, 8 * _LIMIT])
def test_one_byte_more_is_413_even_without_a_key(channel: grpc.Channel, encoding: str, size: int) -> None:
    call = channel.unary_unary("/sluice.events.v1.HttpEventsService/LogEvent")
    message = b"\x12" + _varint(len(packed := _PACK[encoding](_of_size(size)))) + packed

    with pytest.raises(grpc.RpcError) as caught:
        call(message, metadata=[("x-envoy-original-path", "/v1/log_event"), ("content-encoding", encoding)], timeout=10)

    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert dict(caught.value.initial_metadata())["x-http-status"] == "413"
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(details).message == (
        f"body: expected at most {_LIMIT} bytes, unpacked, got more; send fewer events per request"
    )


@pytest.mark.parametrize("encoding", _PACK)
@pytest.mark.parametrize("size", [22, 4096, _LIMIT])
def test_what_was_packed_comes_out_again(encoding: str, size: int) -> None:
    assert unpacked(_PACK[encoding](_of_size(size)), encoding, max_bytes=_LIMIT) == _of_size(size)


def test_several_zstd_frames_are_one_body() -> None:
    frames = zstandard.compress(b'{"events"') + zstandard.compress(b":[]}")

    assert unpacked(frames, "zstd", max_bytes=_LIMIT) == b'{"events":[]}'


@pytest.mark.parametrize("encoding", _PACK)
def test_an_empty_body_stays_empty(encoding: str) -> None:
    assert unpacked(b"", encoding, max_bytes=_LIMIT) == b""


@pytest.mark.parametrize("encoding", ["deflate", "identity", ""])
def test_other_encodings_are_not_its_business(encoding: str) -> None:
    assert unpacked(b"as it is", encoding, max_bytes=_LIMIT) == b"as it is"


@pytest.mark.parametrize("encoding", _PACK)
@pytest.mark.parametrize("body", [b'{"events":[]}', b"\x00", b"\xff" * 100])
def test_what_is_not_packed_so_is_invalid(encoding: str, body: bytes) -> None:
    assert isinstance(unpacked(body, encoding, max_bytes=_LIMIT), Invalid)


@pytest.mark.parametrize("content", [b'{"events":[]}', bytes(range(256)) * 40, b"ab" * 200_000])
@pytest.mark.parametrize("encoding", _PACK)
def test_a_part_of_a_body_is_invalid(encoding: str, content: bytes) -> None:
    packed = _PACK[encoding](content)

    for missing in {*range(1, 20), len(packed) - 1} & {*range(len(packed))}:
        assert isinstance(unpacked(packed[:-missing], encoding, max_bytes=_LIMIT), Invalid)


@pytest.mark.parametrize("kept", range(1, 20))
def test_a_zstd_body_without_its_checksum_or_with_a_part_of_another_frame_is_invalid(kept: int) -> None:
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(b'{"events":[]}')

    assert isinstance(unpacked(packed[: -min(kept, 4)], "zstd", max_bytes=_LIMIT), Invalid)
    assert isinstance(unpacked(packed + packed[:kept], "zstd", max_bytes=_LIMIT), Invalid)


def test_several_gzip_members_are_one_body() -> None:
    parts = [random.Random(n).randbytes(100_000 * n) for n in range(4)]
    members = b"".join(gzip.compress(part) for part in parts)

    assert unpacked(members, "gzip", max_bytes=_LIMIT) == b"".join(parts)


@pytest.mark.parametrize("trailing", [b"x", b"\0", b"\x1f\x8b", zlib.compress(b"{}")])
def test_bytes_behind_a_gzip_member_are_invalid(trailing: bytes) -> None:
    assert isinstance(unpacked(gzip.compress(b'{"events":[]}') + trailing, "gzip", max_bytes=_LIMIT), Invalid)


@pytest.mark.parametrize("at", [-1, -8], ids=["length", "checksum"])
def test_gzip_that_was_changed_on_its_way_is_invalid(at: int) -> None:
    packed = bytearray(gzip.compress(b'{"events":[]}'))
    packed[at] ^= 1

    assert isinstance(unpacked(bytes(packed), "gzip", max_bytes=_LIMIT), Invalid)


def test_very_many_gzip_members_are_invalid() -> None:
    assert isinstance(unpacked(gzip.compress(b"") * 20_000, "gzip", max_bytes=_LIMIT), Invalid)


def test_a_zstd_frame_that_asks_for_too_much_memory_is_invalid() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    greedy = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    assert isinstance(unpacked(greedy.compress(b"{}") + greedy.flush(), "zstd", max_bytes=_LIMIT), Invalid)


def test_a_bomb_is_too_large() -> None:
    for encoding, pack in _PACK.items():
        assert unpacked(pack(bytes(32 * _LIMIT)), encoding, max_bytes=_LIMIT) == TooLarge(_LIMIT)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


@pytest.mark.parametrize(("size", "in_loop"), [(1_000, True), (300 * 1024, False)])
def test_what_unpacks_to_much_does_not_hold_up_other_calls(
    channel: grpc.Channel, server_key: str, monkeypatch: pytest.MonkeyPatch, size: int, in_loop: bool
) -> None:
    last_threads: list[str] = []

    def watched(body: bytes, encoding: str, *, max_bytes: int) -> bytes | Invalid | TooLarge:
        last_threads.append(threading.current_thread().name)
        return unpacked(body, encoding, max_bytes=max_bytes)

    for room in ("context", "receive"):
        monkeypatch.setattr(f"sluice.ingest.{room}.unpacked", watched)
    rest(
        channel,
        gzip.compress(_of_size(size)),
        ("statsig-api-key", server_key),
        ("statsig-client-time", "1767225600000"),
        ("content-encoding", "gzip"),
    )

    assert last_threads[-1].startswith("asyncio_") is not in_loop
