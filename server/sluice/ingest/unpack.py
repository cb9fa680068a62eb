"""Bodies in zstd and brotli, unpacked up to a limit. gzip is Envoy's business.

Envoy can't do these: its decompressors cut a body off, without an error, where one step makes more than 100 times of
what it was given, so that a batch of alike events would be refused as broken JSON.

Source: RFC 8878 and RFC 9659 (zstd), RFC 7932 (br).
"""

from __future__ import annotations

import brotli
import zstandard

from sluice.ingest.outcome import TooLarge
from sluice.ingest.violations import Invalid, invalid_request

__all__ = ["unpacked"]

# RFC 9659: as a Content-Encoding, zstd needs no larger window; without a bound a frame may ask for gigabytes.
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024


def unpacked(body: bytes, encoding: str, *, max_bytes: int) -> bytes | Invalid | TooLarge:
    """Unpack a body.

    Args:
        body: as it came; nothing at all stands for an empty body.
        encoding: the Content-Encoding, in any case; what is neither zstd nor br is returned as it is.
        max_bytes: of the result; not much more memory than this is used.
    """
    name = encoding.lower()
    if not body or name not in _UNPACK:
        return body
    data = _UNPACK[name](body, max_bytes)
    if data is None:
        return invalid_request("body", name, "something else, or only a part")
    return TooLarge(max_bytes) if len(data) > max_bytes else data


def _zstd(body: bytes, max_bytes: int) -> bytes | None:
    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).stream_reader(body, read_across_frames=True)
    try:
        return reader.read(max_bytes + 1)
    except zstandard.ZstdError:
        return None


def _br(body: bytes, max_bytes: int) -> bytes | None:
    decompressor = brotli.Decompressor()
    try:
        data: bytes = decompressor.process(body, output_buffer_limit=max_bytes + 1)
    except brotli.error:
        return None
    return data if decompressor.is_finished() or len(data) > max_bytes else None


_UNPACK = {"zstd": _zstd, "br": _br}
