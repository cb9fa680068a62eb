"""Bodies in gzip, zstd and brotli, unpacked up to a limit.

Envoy could do it, but says nothing of what it can't decompress: a body whose checksum is wrong, or that is cut off, it
hands on as far as it got, and of several gzip members the first alone.

Source: RFC 1952 (gzip), RFC 8878 and RFC 9659 (zstd), RFC 7932 (br).
"""

from __future__ import annotations

import zlib

import brotli
import zstandard

from sluice.ingest.outcome import TooLarge
from sluice.ingest.violations import Invalid, invalid_request

__all__ = ["unpacked"]

# RFC 9659: as a Content-Encoding, zstd needs no larger window; without a bound a frame may ask for gigabytes.
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
# The library doesn't tell whether the last frame was whole. So one more is put behind it, which only then comes out.
_ZSTD_END = b"\xff"
_ZSTD_END_FRAME = zstandard.ZstdCompressor(write_checksum=True).compress(_ZSTD_END)

# zlib: the largest window, in the format of RFC 1952 alone.
_GZIP_WBITS = 31
# bgzip makes a member of each 64 KiB. Each costs some 8 µs, even if there is nothing in it.
_MAX_GZIP_MEMBERS = 10_000
_GZIP_STEP_BYTES = 64 * 1024


class _TooManyMembersError(Exception):
    pass


def unpacked(body: bytes, encoding: str, *, max_bytes: int) -> bytes | Invalid | TooLarge:
    """Unpack a body.

    Args:
        body: as it came; nothing at all stands for an empty body.
        encoding: the Content-Encoding, in any case; what is neither gzip, zstd nor br is returned as it is.
        max_bytes: of the result; not much more memory than this is used.
    """
    name = encoding.lower()
    if not body or name not in _UNPACK:
        return body
    try:
        data = _UNPACK[name](body, max_bytes)
    except _TooManyMembersError:
        expected = f"at most {_MAX_GZIP_MEMBERS:,} members of gzip"
        return invalid_request("body", expected, "more", mend="pack the whole body as one")
    if data is None:
        mend = "pack the whole body so, or send it without content-encoding"
        return invalid_request("body", name, "something else, or only a part", mend=mend)
    return TooLarge(max_bytes) if len(data) > max_bytes else data


def _gzip(body: bytes, max_bytes: int) -> bytes | None:
    view = memoryview(body)
    parts: list[bytes] = []
    room = max_bytes + 1
    at = members = 0
    while at < len(body):
        members += 1
        if members > _MAX_GZIP_MEMBERS:
            raise _TooManyMembersError
        member = zlib.decompressobj(_GZIP_WBITS)
        while not member.eof:
            step = view[at : at + _GZIP_STEP_BYTES]
            if not step:
                return None
            at += len(step)
            try:
                part = member.decompress(step, room)
            except zlib.error:
                return None
            parts.append(part)
            room -= len(part)
            if not room:
                return b"".join(parts)
        at -= len(member.unused_data)
    return b"".join(parts)


def _zstd(body: bytes, max_bytes: int) -> bytes | None:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    try:
        data = decompressor.stream_reader(body + _ZSTD_END_FRAME, read_across_frames=True).read(max_bytes + 2)
    except zstandard.ZstdError:
        return None
    if len(data) > max_bytes + 1:
        return data
    return data[: -len(_ZSTD_END)] if data.endswith(_ZSTD_END) else None


def _br(body: bytes, max_bytes: int) -> bytes | None:
    decompressor = brotli.Decompressor()
    try:
        data: bytes = decompressor.process(body, output_buffer_limit=max_bytes + 1)
    except brotli.error:
        return None
    return data if decompressor.is_finished() or len(data) > max_bytes else None


_UNPACK = {"gzip": _gzip, "zstd": _zstd, "br": _br}
