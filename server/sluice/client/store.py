"""Where events wait until they are settled: in memory, or in a spool on disk (spool.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sluice.client.report import Dropped

__all__ = ["EVENT_OVERHEAD_BYTES", "Memory", "Store"]

# What Python needs for an encoded event beside its bytes: the object's head and its place in a list.
EVENT_OVERHEAD_BYTES = 64


class Store(Protocol):
    """Keeps the events of batches, by the batches' keys. Only `sync` may be called beside another call."""

    survives: bool
    """Whether what is in it outlives the process."""

    def room_for(self, events: int, size: int) -> bool:
        """Whether so many more events, of so many bytes in all, may be added."""

    def append(self, key: bytes, encoded: Sequence[bytes]) -> None:
        """Add events to a batch, all or none."""

    def read(self, key: bytes) -> list[bytes]:
        """The events of a batch."""

    def divide(self, key: bytes, parts: Mapping[bytes, list[bytes]]) -> None:
        """Put others in the place of a batch, all at once."""

    def remove(self, key: bytes) -> None:
        """Forget a batch: it is settled."""

    def keep_refused(self, dropped: Iterable[Dropped]) -> None:
        """Keep events that will not be tried again, where that is asked for."""

    def next_leftovers(self) -> Mapping[bytes, list[bytes]]:
        """The next batches that an earlier client left; none: there are no more."""

    @property
    def leftovers(self) -> int:
        """How often `next_leftovers` has still to be called."""

    @property
    def size(self) -> int:
        """How many bytes it holds."""

    @property
    def batches(self) -> int:
        """How many batches it holds on disk."""


class Memory:
    """A store that ends with the process.

    Args:
        most_events: how many it holds, at most.
        most_bytes: how many bytes, at most.
    """

    survives = False
    leftovers = 0
    batches = 0

    def __init__(self, *, most_events: int, most_bytes: int) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._held: dict[bytes, list[bytes]] = {}
        self._events = 0
        self.size = 0

    def room_for(self, events: int, size: int) -> bool:  # noqa: D102  as Store says
        size_with_overhead = size + events * EVENT_OVERHEAD_BYTES
        return self._events + events <= self._most_events and self.size + size_with_overhead <= self._most_bytes

    def append(self, key: bytes, encoded: Sequence[bytes]) -> None:  # noqa: D102  as Store says
        self._held.setdefault(key, []).extend(encoded)
        self._count(encoded, 1)

    def read(self, key: bytes) -> list[bytes]:  # noqa: D102  as Store says
        return self._held[key]

    def divide(self, key: bytes, parts: Mapping[bytes, list[bytes]]) -> None:  # noqa: D102  as Store says
        self.remove(key)
        for part, encoded in parts.items():
            self.append(part, encoded)

    def remove(self, key: bytes) -> None:  # noqa: D102  as Store says
        self._count(self._held.pop(key), -1)

    def keep_refused(self, dropped: Iterable[Dropped]) -> None:
        """Nothing: they are reported, and that is all."""

    def next_leftovers(self) -> Mapping[bytes, list[bytes]]:  # noqa: D102  as Store says
        return {}

    def _count(self, encoded: Sequence[bytes], sign: int) -> None:
        self._events += sign * len(encoded)
        self.size += sign * (sum(map(len, encoded)) + len(encoded) * EVENT_OVERHEAD_BYTES)
