"""One segment's file read while it grows: each whole record once, in order, as soon as all of it is there.

    what stands behind the last whole record      what is done
    fewer bytes than its frame will have          waited for: a write is going on, or was cut off by a death
    a frame whose checksum doesn't fit            waited for while nothing follows it; damage when something does
    a broken length                               waited for while no whole frame follows it; damage when one does
    any of these in a segment that is final       damage
    a frame larger than what may be held          passed over by its length, and counted

Nothing is kept of what is not whole: it is read again when more is there. The descriptor stays open, so a rename or the
removal of the file changes nothing. A file that was cut is read no further than to where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from sluice.framing import HEADER_BYTES, Stretch, end_of_frame, scan
from sluice.log.frame_walk import walk
from sluice.log.ports import StoredRecord
from sluice.log.reader import record_or_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice import disk
    from sluice.log.ports import Damage, DamageReason, Sealed

__all__ = ["MAX_HELD_BYTES", "GrowingSegment", "PassedOver"]

# What is read at once at most: a larger record isn't shown. Above the default max-body, and below what hurts.
MAX_HELD_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class PassedOver:
    """What was not read.

    Attributes:
        records: how many records.
        bytes: how many bytes their frames have.
    """

    records: int = 0
    bytes: int = 0

    def add(self, records: int, size_bytes: int) -> None:
        """Count some more."""
        self.records += records
        self.bytes += size_bytes

    def take(self) -> PassedOver:
        """What was counted up to now; the count begins anew."""
        taken = PassedOver(records=self.records, bytes=self.bytes)
        self.records = self.bytes = 0
        return taken


_RecordT = TypeVar("_RecordT", bound=StoredRecord)


class GrowingSegment(Generic[_RecordT]):
    """A segment's file, and how far it was read.

    Args:
        segment_id: the segment's.
        file: its file, open for reading; closed with this.
        passed_over: where it counts what it doesn't read.
        decode: reads the payload of a frame.
        sealed: its seal; None for an open one.

    Attributes:
        id: the segment's.
    """

    def __init__(
        self,
        segment_id: str,
        file: disk.File,
        passed_over: PassedOver,
        *,
        decode: Callable[[bytes], _RecordT | DamageReason],
        sealed: Sealed | None = None,
    ) -> None:
        self._decode = decode
        self.id = segment_id
        self._file = file
        self._passed_over = passed_over
        self._sealed = sealed
        self._position = 0
        self._shown_from = 0  # what begins before it is passed over
        self._needed = 0  # where the file must reach before reading on makes sense

    def close(self) -> None:
        """Give the descriptor back."""
        self._file.close()

    def size_bytes(self) -> int:
        """How large the file is now, without what stands behind its seal."""
        size = self._file.size()
        return size if self._sealed is None else min(size, self._sealed.size_bytes)

    def unread_bytes(self) -> int:
        """What there is that was not read."""
        return max(0, self.size_bytes() - self._position)

    def has_news(self, end: int) -> bool:
        """Whether there is more to read before `end`, by now."""
        end = min(end, self.size_bytes())
        return end > self._position and end >= self._needed

    def pass_over(self, goal: int) -> None:
        """Go on at the first frame that doesn't begin before the goal, without reading those before it."""
        walked = walk(self._file, self._position, goal=goal, size_bytes=self.size_bytes())
        self._passed_over.add(walked.frames, walked.offset - self._position)
        self._position = walked.offset
        # Where the way is broken, what is left of it is read, and not shown.
        self._shown_from = goal if walked.is_broken else walked.offset

    def read(
        self, want_bytes: int, *, is_final: bool, end: int | None = None
    ) -> Iterator[tuple[int, _RecordT] | Damage]:
        """Go on: each whole record with its offset, and each damaged stretch.

        Args:
            want_bytes: how much to read, about; a frame that is larger is read whole.
            is_final: nothing will be added to the file any more.
            end: read no further than this; None: to the file's end.
        """
        size = self.size_bytes() if end is None else min(end, self.size_bytes())
        if size <= self._position or (size < self._needed and not is_final):
            return
        base = self._position
        wanted = max(want_bytes, min(self._needed - base, MAX_HELD_BYTES))
        chunk = self._file.read_at(base, min(wanted, size - base))
        for part in scan(chunk):
            if isinstance(part, Stretch) and part.end == len(chunk):
                tail = _Tail(
                    offset=base + part.offset,
                    size=len(chunk) - part.offset,
                    frame_size=_size_of_frame(chunk, part.offset),
                    behind=size - base - len(chunk),
                )
                if self._waits(tail, is_final=is_final):
                    return
            self._position = base + part.end
            if base + part.offset >= self._shown_from:
                yield record_or_damage(part, chunk, base=base, decode=self._decode)

    def _waits(self, tail: _Tail, *, is_final: bool) -> bool:
        """Whether a tail may become whole by reading on, now or later; if not, it is damage.

        If so, it is said from which size of the file on reading makes sense.
        """
        frame_size, is_last = tail.frame_size, tail.behind == 0
        if frame_size is None:
            if (is_last and is_final) or tail.size >= MAX_HELD_BYTES:
                return False
            # Twice as much each time, so that the search for the next frame reads no more than twice the bytes.
            more = tail.offset + max(HEADER_BYTES, 2 * tail.size)
            self._needed = more if is_last else min(more, tail.offset + tail.size + tail.behind)
            return True
        if frame_size <= tail.size:
            # All of it is there, and its checksum doesn't fit.
            self._needed = tail.offset + tail.size + 1
            return is_last and not is_final
        if frame_size > tail.size + tail.behind:
            # Of a final file all that is left is one stretch: what is in a frame's payload is no frame.
            self._needed = tail.offset + (tail.size + tail.behind if is_final else frame_size)
            return not is_final or (tail.behind > 0 and tail.size < MAX_HELD_BYTES)
        if frame_size > MAX_HELD_BYTES:
            self._passed_over.add(1, frame_size)
            self._position = tail.offset + frame_size
        self._needed = tail.offset + frame_size
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tail:
    """What was read last, and is no whole frame.

    Attributes:
        offset: where it begins in the file.
        size: how many bytes of it were read.
        frame_size: how many the frame has that begins there; None where its length is broken, or not there.
        behind: how many bytes of the file are still unread.
    """

    offset: int
    size: int
    frame_size: int | None
    behind: int


def _size_of_frame(buffer: bytes, offset: int) -> int | None:
    end = end_of_frame(buffer, offset)
    return None if end is None else end - offset
