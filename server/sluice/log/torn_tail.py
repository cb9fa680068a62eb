"""Where an open segment ends that no writer holds: which of its last bytes are the rest of a write that didn't end.

    behind the last whole record               what it is
    a frame whose end is missing               torn: a record is acknowledged when all of it is durable. But damage
                                               where whole frames stand in it: then its length lies
    less than a frame's header                 torn
    zeros to the file's end                    torn: a file may have grown before its bytes came to the disk
    a part of a frame, then such zeros         torn, where they begin no later than its last checksum
    all bytes of a frame, but a checksum is    damage: it may be a record that was acknowledged, and that the disk
    broken; a broken length                    altered since. It stays, and is set aside when the segment is read

Pure: bytes in, offsets out.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.framing import CHECKSUM_BYTES, HEADER_BYTES, Frame, Stretch, end_of_frame, scan

__all__ = ["Ending", "ending_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a segment holds, and where that ends.

    Attributes:
        records: whole frames.
        last_whole: where the last whole frame ends.
        end: where the torn tail begins, or the content ends. Before it stand whole frames and damage.
    """

    records: int
    last_whole: int
    end: int


def ending_of(content: bytes) -> Ending:
    """Tell a torn tail from what must be kept.

    Args:
        content: all bytes of an open segment.
    """
    parts = list(scan(content))
    frames = [part for part in parts if isinstance(part, Frame)]
    zeros_from = len(content.rstrip(b"\0"))
    while parts and isinstance(last := parts[-1], Stretch) and _is_torn(content, last, zeros_from):
        parts.pop()
    return Ending(records=len(frames), last_whole=frames[-1].end if frames else 0, end=parts[-1].end if parts else 0)


def _is_torn(content: bytes, last: Stretch, zeros_from: int) -> bool:
    if zeros_from <= last.offset or last.end - last.offset < HEADER_BYTES:
        return True
    end = end_of_frame(content, last.offset)
    if end is not None and end > len(content):
        return not any(isinstance(part, Frame) for part in scan(content[last.offset + HEADER_BYTES :]))
    # Zeros that leave a part of the checksum may be the record's own; a whole checksum of zeros is one in 2^32.
    return zeros_from <= (end or last.offset + HEADER_BYTES) - CHECKSUM_BYTES
