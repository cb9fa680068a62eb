"""What waits to be committed: in order, bounded in bytes, taken in batches that may share a segment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.log.segment_writer import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.log.sealing import Run
    from sluice.metering import Gauge

__all__ = ["CommitQueue", "Waiting"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record whose caller waits.

    Attributes:
        buffers: its frame.
        size_bytes: of the frame.
        run: what it may share a segment with.
        done: is told once whether it is durable.
    """

    buffers: tuple[bytes, ...]
    size_bytes: int
    run: Run
    done: Callable[[bool], None]


class CommitQueue:
    """First in, first out.

    Args:
        limit_bytes: what may wait, what was taken but not answered included. One record always may.
        waiting: shows how many bytes wait.
    """

    def __init__(self, limit_bytes: int, waiting: Gauge) -> None:
        self.limit_bytes = limit_bytes
        self._gauge = waiting
        self.waiting_bytes = 0
        self._waiting: deque[Waiting] = deque()

    def __bool__(self) -> bool:
        """Whether a record waits that was not taken yet."""
        return bool(self._waiting)

    def has_room_for(self, size_bytes: int) -> bool:
        """Whether a record of about this size may be put in."""
        return not self.waiting_bytes or self.waiting_bytes + size_bytes <= self.limit_bytes

    def put(self, waiting: Waiting) -> None:
        """Put a record in, behind all others."""
        self._waiting.append(waiting)
        self._add(waiting.size_bytes)

    def take(self, room: Callable[[Run], int]) -> tuple[Batch, list[Waiting]]:
        """Take the first records that may share a segment, one at least.

        Args:
            room: how many bytes a segment of that run can take before it is full.
        """
        run = self._waiting[0].run
        room_bytes = room(run)
        buffers: list[bytes] = []
        taken: list[Waiting] = []
        size_bytes = 0
        while self._waiting and self._waiting[0].run == run and size_bytes < room_bytes:
            waiting = self._waiting.popleft()
            buffers += waiting.buffers
            size_bytes += waiting.size_bytes
            taken.append(waiting)
        return Batch(buffers=buffers, records=len(taken), size_bytes=size_bytes, run=run), taken

    def take_all(self) -> list[Waiting]:
        """Take all records, of whatever run, and let them go."""
        taken = list(self._waiting)
        self._waiting.clear()
        self.let_go(taken)
        return taken

    def let_go(self, taken: list[Waiting]) -> None:
        """What was taken is durable, or not in the log: it waits no more."""
        self._add(-sum(waiting.size_bytes for waiting in taken))

    def _add(self, size_bytes: int) -> None:
        self.waiting_bytes += size_bytes
        self._gauge.set(self.waiting_bytes)
