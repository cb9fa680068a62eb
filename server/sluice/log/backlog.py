"""The backlog: segments that hold what was acknowledged and is not in the lake, by their names and sizes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log.segment import begun_at, parse_id, parse_sealed

if TYPE_CHECKING:
    from sluice.log.segment import Folders

__all__ = ["Waiting", "backlog", "pause_after_look"]

# Of a processor's time: a look at 100,000 segments takes a quarter of a second.
_LOOKS_TAKE_AT_MOST = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A segment that is written to, or is sealed and waits for the lake.

    Attributes:
        id: the segment.
        size_bytes: its size now.
    """

    id: str
    size_bytes: int

    @property
    def begun_at(self) -> float:
        """When it was begun, in seconds since the epoch."""
        return begun_at(self.id)


def pause_after_look(took_s: float, *, at_least_s: float) -> float:
    """How long to wait before all segments are looked at again, in seconds: longer where there are very many.

    Args:
        took_s: how long the last look took.
        at_least_s: how long to wait where a look takes no time.
    """
    return max(at_least_s, took_s / _LOOKS_TAKE_AT_MOST)


def backlog(folders: Folders) -> tuple[Waiting, ...]:
    """Find all segments that wait, each once; what is no file, or has another name, is not counted.

    Raises:
        OSError: a folder can't be listed; one that is missing is empty.
    """
    sizes: dict[str, int] = {}
    # Open ones before sealed ones: one that is sealed in between is seen twice, not missed.
    for name in disk.file_names(folders.open):
        if parse_id(name) is None:
            continue
        try:
            size = disk.size_of(folders.open / name)
        except FileNotFoundError:
            continue
        # One without a byte holds nothing that was acknowledged, and is sealed only when it does.
        if size:
            sizes[name] = size
    for name in disk.file_names(folders.sealed):
        if (sealed := parse_sealed(name)) is not None:
            sizes[sealed.id] = sealed.size_bytes
    return tuple(Waiting(id=segment_id, size_bytes=size) for segment_id, size in sizes.items())
