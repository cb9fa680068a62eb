"""The parts of a file a window at a time: what `scan` finds in all of its bytes at once, without holding them all.

    what may go on behind a window     what is done
    a frame                            the next window begins with it, and holds all of it
    less than a frame's header         the next window begins with it
    a broken length                    the next window is all that is left: the next whole frame may lie anywhere there

A window is memory that was in use a moment ago. A whole segment would be new memory each time: 6 % of the CPU from a
segment to Parquet, at 100 and 500 events a request, would be the kernel's work for its pages.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

from sluice.framing import HEADER_BYTES, Stretch, end_of_frame, scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.disk import File
    from sluice.framing import Frame

__all__ = ["Placed", "parts_of"]

# A part, the buffer that it was found in, and where in the file that begins.
Placed: TypeAlias = "tuple[Frame | Stretch, bytes, int]"

# 1 and 4 MiB take the same CPU, 16 MiB five times the page faults. Each window reads the frame at its end again.
_WINDOW_BYTES = 4 * 1024 * 1024


def parts_of(file: File, size: int) -> Iterator[Placed]:
    """Go through the first bytes of a file as `scan` goes through a buffer of them.

    Args:
        file: open for reading.
        size: how many bytes.

    Raises:
        OSError: the file can't be read.
    """
    base, wanted, total_bytes = 0, _WINDOW_BYTES, size
    while base < size:
        wanted = min(wanted, size - base)
        window = _read(file, base, wanted)
        if len(window) < wanted:
            size = base + len(window)  # somebody cut it
        is_last = base + len(window) == size
        wanted, known = _WINDOW_BYTES, 0
        # Where a window isn't the last, what lies behind a broken length is looked for once more in all that is left.
        for part in scan(window, total_bytes=total_bytes if is_last else 0):
            if not is_last and isinstance(part, Stretch) and (more := _more_to_know(window, part.offset)):
                wanted = max(wanted, more)
                break
            known = part.end
            yield part, window, base
        base += known


def _more_to_know(window: bytes, offset: int) -> int:
    """How many bytes from `offset` on tell what a stretch is that begins there; 0: it is known."""
    end = end_of_frame(window, offset)
    if end is None:
        return HEADER_BYTES if len(window) - offset < HEADER_BYTES else sys.maxsize
    return end - offset if end > len(window) else 0


def _read(file: File, offset: int, size: int) -> bytes:
    content = file.read_at(offset, size)
    # One call gives 2 GiB at most.
    while len(content) < size and (more := file.read_at(offset + len(content), size - len(content))):
        content += more
    return content
