import struct
import time
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice import framing
from sluice.framing import OVERHEAD_BYTES, BrokenBy, Frame, Stretch, frame, frame_buffers, scan

_RECORD_START = b"\x0a\x10" + bytes(range(16))

records = st.binary(max_size=200).map(lambda rest: _RECORD_START + rest)
segments = st.lists(records, max_size=8)


def _payloads(buffer: bytes) -> list[bytes]:
    return [part.payload for part in scan(buffer) if isinstance(part, Frame)]


def _crc32c(data: bytes) -> int:
    """CRC32C bit by bit: x^32 + x^28 + … reflected, 0x82F63B78 (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_a_frame_is_what_tfrecord_says() -> None:
    payload = _RECORD_START + b"body"

    def masked(data: bytes) -> bytes:
        crc = _crc32c(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(payload))
    assert frame(payload) == length + masked(length) + payload + masked(payload)
    assert len(frame(payload)) == len(payload) + OVERHEAD_BYTES


def test_a_frame_of_parts_is_that_of_the_whole_and_copies_none() -> None:
    head, body = _RECORD_START, b"body" * 100

    buffers = frame_buffers(head, body)

    assert b"".join(buffers) == frame(head + body)
    assert buffers[2] is body


@given(segments)
def test_what_was_framed_is_read_back(payloads: list[bytes]) -> None:
    assert _payloads(b"".join(map(frame, payloads))) == payloads


@given(segments, st.data())
def test_a_segment_cut_anywhere_yields_every_payload_that_is_whole(payloads: list[bytes], data: st.DataObject) -> None:
    ends = list(accumulate(len(frame(p)) for p in payloads))
    cut = data.draw(st.integers(0, ends[-1] if ends else 0), label="cut")
    whole = [p for p, end in zip(payloads, ends, strict=True) if end <= cut]

    assert _payloads(b"".join(map(frame, payloads))[:cut]) == whole


@given(st.lists(records, min_size=1, max_size=8), st.data())
def test_a_flipped_byte_costs_one_record_at_most(payloads: list[bytes], data: st.DataObject) -> None:
    content = bytearray(b"".join(map(frame, payloads)))
    position = data.draw(st.integers(0, len(content) - 1), label="position")
    content[position] ^= data.draw(st.integers(1, 255), label="flip")
    ends = list(accumulate(len(frame(p)) for p in payloads))
    hit = next(i for i, end in enumerate(ends) if position < end)

    assert _payloads(bytes(content)) == payloads[:hit] + payloads[hit + 1 :]


@given(st.binary(max_size=400), segments, st.binary(max_size=400))
@example(b"\x0a\x10", [], b"\x0a\x10" * 50)
@example(bytes(12), [_RECORD_START], bytes(40))
@example(frame(b"")[:15], [_RECORD_START], b"")
def test_any_bytes_are_covered_without_a_gap(before: bytes, payloads: list[bytes], behind: bytes) -> None:
    content = before + b"".join(map(frame, payloads)) + behind
    parts = list(scan(content))

    assert [part.offset for part in parts] == [0, *(part.end for part in parts)][: len(parts)]
    assert (parts[-1].end if parts else 0) == len(content)


@given(st.binary(min_size=1, max_size=100), records)
@example(b"\x0a\x10", _RECORD_START)
@example(bytes(100), _RECORD_START)
def test_a_record_is_found_behind_any_bytes(garbage: bytes, record: bytes) -> None:
    content = garbage + frame(record)

    assert any(isinstance(part, Frame) and part.payload == record for part in scan(content))


def test_damage_is_told_by_the_checksum_that_fails() -> None:
    one, two = frame(_RECORD_START + b"one"), frame(_RECORD_START + b"two")
    broken_length = b"\xff" + one[1:]
    broken_payload = one[:20] + b"\xff" + one[21:]

    assert next(scan(broken_length + two)) == Stretch(0, len(one), BrokenBy.LENGTH)
    assert next(scan(broken_payload + two)) == Stretch(0, len(one), BrokenBy.PAYLOAD)
    assert list(scan(two + one[:-1]))[1] == Stretch(len(two), len(two) + len(one) - 1, BrokenBy.PAYLOAD)
    assert list(scan(two + one[:11]))[1] == Stretch(len(two), len(two) + 11, BrokenBy.LENGTH)
    assert list(scan(two + bytes(4096)))[1] == Stretch(len(two), len(two) + 4096, BrokenBy.LENGTH)


def test_a_record_within_a_body_is_not_taken_for_one_while_its_frame_is_whole() -> None:
    outer = _RECORD_START + frame(_RECORD_START + b"forged")

    assert _payloads(frame(outer)) == [outer]


_RESEMBLES = b"\x00" * 8 + b"xxxx" + b"\x0a\x10"


def _claims_the_rest(count: int) -> bytes:
    """Frames one in the other behind a broken one, each claiming all that follows, none of them whole."""
    size = count * 14 + 16
    claims = [frame(bytes(size - at - OVERHEAD_BYTES))[:12] + b"\x0a\x10" for at in range(0, count * 14, 14)]
    return b"\xff" + b"".join(claims)[1:] + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bytes(1 << 23), id="zeros"),
        pytest.param(b"\x0a\x10" * (1 << 22), id="first bytes of records"),
        pytest.param(_RESEMBLES * (1 << 19), id="what resembles a record"),
        pytest.param(_claims_the_rest(1 << 12), id="frames that claim the rest"),
    ],
)
def test_looking_for_the_next_record_is_bounded_whatever_the_bytes(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked_bytes = 0
    check = framing._payload

    def counted(buffer: bytes, offset: int, end: int) -> bytes | None:
        nonlocal checked_bytes
        checked_bytes += end - offset
        return check(buffer, offset, end)

    monkeypatch.setattr(framing, "_payload", counted)
    began_s = time.process_time()
    parts = list(scan(content))

    assert [type(part) for part in parts] == [Stretch]
    assert checked_bytes <= 64 * len(content)
    assert time.process_time() - began_s < 10
