"""TFRecord framing: how one payload becomes bytes of a segment of the log (or of a client's spool), and back.

    offset   size   field
    0        8      length of the payload, uint64 little-endian
    8        4      masked CRC32C of those 8 bytes, uint32 little-endian
    12       n      payload
    12 + n   4      masked CRC32C of the payload, uint32 little-endian

A masked CRC is the CRC rotated right by 15 bits plus a constant, so that the CRC of bytes that hold CRCs stays useful.

Pure functions over bytes: no files, no clock. What is done about a damaged stretch: log/recovery.py and log/reader.py.
What a payload is: log/record.py. When the bytes may change: docs/segment-format.md.

Source: tensorflow/core/lib/io/record_writer.h
"""

from __future__ import annotations

import re
import struct
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CHECKSUM_BYTES",
    "FIRST_BYTES",
    "HEADER_BYTES",
    "OVERHEAD_BYTES",
    "BrokenBy",
    "Frame",
    "Stretch",
    "end_of_frame",
    "frame",
    "frame_buffers",
    "scan",
]

# A payload begins with field 1 (0a), 16 bytes long (10): how the next frame is found behind a broken length.
FIRST_BYTES = b"\x0a\x10"

# With the upper half of the length before them, zero in any segment: most of what only resembles a record ends here.
_FIRST_BYTES_IN_FRAME = re.compile(rb"\n\x10(?<=\0\0\0\0[\s\S]{4}\n\x10)")

_LENGTH = struct.Struct("<Q")
_HEADER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
CHECKSUM_BYTES = _CRC.size
OVERHEAD_BYTES = HEADER_BYTES + CHECKSUM_BYTES

# tensorflow/core/lib/hash/crc32c.h
_MASK_DELTA = 0xA282EAD8

# Bytes that could be frames, but aren't, may lie one in the other, each claiming all of the rest: without a bound,
# checking them takes the square of the buffer's size. The rest is then one broken stretch.
_SEARCH_CHECKS_PER_BYTE = 64


class BrokenBy(Enum):
    """Which checksum a stretch fails."""

    LENGTH = "length"
    PAYLOAD = "payload"


class Frame(NamedTuple):  # made in 0.2 µs; a frozen dataclass takes 0.4
    """A whole frame: both checksums fit.

    Attributes:
        offset: where it begins, in bytes.
        end: where it ends.
        payload: what it holds.
    """

    offset: int
    end: int
    payload: bytes


class Stretch(NamedTuple):
    """Bytes that are no whole frame.

    Attributes:
        offset: where they begin.
        end: where the next frame is found, or the buffer's end.
        broken_by: what is wrong at `offset`. A length that leads beyond the buffer's end breaks the payload.
    """

    offset: int
    end: int
    broken_by: BrokenBy


def frame(payload: bytes) -> bytes:
    """One payload as bytes of a segment."""
    return b"".join(frame_buffers(payload))


def frame_buffers(*parts: bytes) -> tuple[bytes, ...]:
    """The frame of a payload that comes in parts, as buffers to be written one behind the other; nothing is copied."""
    length, crc = 0, 0
    for part in parts:
        length += len(part)
        crc = google_crc32c.extend(crc, part)
    prefix = _LENGTH.pack(length)
    return (_HEADER.pack(length, _masked(google_crc32c.value(prefix))), *parts, _CRC.pack(_masked(crc)))


def scan(buffer: bytes, *, total_bytes: int = 0) -> Iterator[Frame | Stretch]:
    """Go through a buffer from its start to its end; frames and stretches follow each other without a gap.

    A length whose checksum fits is believed, even where the payload's does not. Behind a length that doesn't, the next
    whole frame is looked for by its payload's first bytes. Linear in the buffer's size, whatever it holds.

    Args:
        buffer: the bytes.
        total_bytes: how many there are with those before the buffer: what bounds the search.
    """
    offset, size = 0, len(buffer)
    search_bytes_left = max(size, total_bytes) * _SEARCH_CHECKS_PER_BYTE
    while offset < size:
        end = end_of_frame(buffer, offset)
        if end is None:
            end, search_bytes_left = _next_whole_frame(buffer, offset + 1, search_bytes_left)
            yield Stretch(offset, end, BrokenBy.LENGTH)
        elif end <= size and (payload := _payload(buffer, offset, end)) is not None:
            yield Frame(offset, end, payload)
        else:
            end = min(end, size)
            yield Stretch(offset, end, BrokenBy.PAYLOAD)
        offset = end


def end_of_frame(buffer: bytes, offset: int) -> int | None:
    """Where the frame at `offset` ends, or would behind the buffer; None where its length is broken or cut short."""
    if len(buffer) - offset < HEADER_BYTES:
        return None
    length: int
    length, checksum = _HEADER.unpack_from(buffer, offset)
    if checksum != _masked(google_crc32c.value(buffer[offset : offset + _LENGTH.size])):
        return None
    return offset + length + OVERHEAD_BYTES


def _payload(buffer: bytes, offset: int, end: int) -> bytes | None:
    payload = buffer[offset + HEADER_BYTES : end - CHECKSUM_BYTES]
    (checksum,) = _CRC.unpack_from(buffer, end - CHECKSUM_BYTES)
    return payload if checksum == _masked(google_crc32c.value(payload)) else None


def _next_whole_frame(buffer: bytes, start: int, bytes_left: int) -> tuple[int, int]:
    """Where the first whole frame at or behind `start` begins that holds a record; the buffer's end if none does.

    Checks payloads of `bytes_left` bytes at most, and returns besides what is left of them.
    """
    size = len(buffer)
    for first_bytes in _FIRST_BYTES_IN_FRAME.finditer(buffer, start + HEADER_BYTES):
        offset = first_bytes.start() - HEADER_BYTES
        end = end_of_frame(buffer, offset)
        if end is None or end > size:
            continue
        bytes_left -= end - offset
        if bytes_left < 0:
            break
        if _payload(buffer, offset, end) is not None:
            return offset, bytes_left
    return size, bytes_left


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
