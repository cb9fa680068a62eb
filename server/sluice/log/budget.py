"""What the log may still take: how many bytes may wait for the lake, and how much of the disk must stay free.

What waits is counted by the names and sizes of all segments, open and sealed, whoever writes them: the same figure as
`waiting_bytes` of /readyz. They are looked at once a second, and less often where there are so many that a look takes
long; in between a writer counts what it appends itself. So the limit may be passed by one commit of each writer, and by
what the others append in that second.

Once one of them is reached, records are taken again only when there is a margin: else a log at its border would refuse
and take in turns, for as long as the lake makes room for one segment at a time.

What lies in damaged/ and archive/, and the lake itself, waits for nothing: only the free disk bounds those.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log.backlog import backlog, pause_after_look
from sluice.log.failing import WriterFailed, failing
from sluice.log.metrics import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.log.segment import Folders

__all__ = ["Budget"]

# A part of the limit, and of what must stay free.
_MARGIN = 0.05

_LOOK_EVERY_S = 1.0


class Budget:
    """What one writer may append, as far as it can see.

    Args:
        folders: the log's.
        min_free_bytes: what must stay free on the disk.
        max_log_bytes: what may wait for the lake, whoever wrote it; None: what the disk has.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        folders: Folders,
        *,
        min_free_bytes: int,
        max_log_bytes: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._min_free_bytes = min_free_bytes
        self._max_log_bytes = max_log_bytes
        self._clock = clock
        self._reached: Failure | None = None
        self._used_bytes = 0
        self._look_at_s = float("-inf")

    def require(self, size_bytes: int) -> None:
        """See that so many bytes may be appended.

        Raises:
            WriterFailed: they may not; the cause is DISK_FLOOR, LOG_FULL, or PROBE where that can't be seen.
        """
        try:
            self._require_disk(size_bytes)
            self._require_room()
        except WriterFailed as exc:
            self._reached = exc.cause
            # What the lake takes meanwhile is to be seen at the next try.
            self._look_at_s = float("-inf")
            raise
        self._reached = None

    def count(self, size_bytes: int) -> None:
        """Count what was appended."""
        self._used_bytes += size_bytes

    def _require_disk(self, size_bytes: int) -> None:
        with failing(Failure.PROBE, self._folders.open):
            free_bytes = disk.free_bytes(self._folders.open)
        margin_bytes = int(self._min_free_bytes * _MARGIN) if self._reached is Failure.DISK_FLOOR else 0
        if free_bytes - size_bytes < self._min_free_bytes + margin_bytes:
            raise WriterFailed(
                f"disk nearly full: free={free_bytes} bytes, asked={size_bytes} bytes, "
                f"kept free={self._min_free_bytes} bytes",
                cause=Failure.DISK_FLOOR,
                path=self._folders.open,
                hint=f"free space on the disk of {self._folders.open}, or keep less free: --min-free",
            )

    def _require_room(self) -> None:
        if self._max_log_bytes is None:
            return
        now_s = self._clock()
        if now_s >= self._look_at_s:
            self._look(now_s)
        margin_bytes = int(self._max_log_bytes * _MARGIN) if self._reached is Failure.LOG_FULL else 0
        if self._used_bytes >= self._max_log_bytes - margin_bytes:
            raise WriterFailed(
                f"log full: used={self._used_bytes} bytes, limit={self._max_log_bytes} bytes",
                cause=Failure.LOG_FULL,
                path=self._folders.sealed,
                hint="see why the lake is behind: sluice status",
            )

    def _look(self, now_s: float) -> None:
        with failing(Failure.PROBE, self._folders.sealed):
            self._used_bytes = sum(segment.size_bytes for segment in backlog(self._folders))
        took_s = self._clock() - now_s
        self._look_at_s = now_s + pause_after_look(took_s, at_least_s=_LOOK_EVERY_S)
