"""What the doors of one worker have in common, keys, log, limits and clock: whoever takes their requests has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.ingest.door import INLINE_BYTES, INLINE_PACKED_BYTES
from sluice.ingest.outcome import TooLarge
from sluice.ingest.unpack import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.ingest.admission import Admission
    from sluice.ingest.caller import Caller
    from sluice.ingest.door import Door, KeysInForce
    from sluice.ingest.event_count import EventCounts
    from sluice.ingest.violations import Invalid
    from sluice.keys.key import Key, Refusal
    from sluice.log.ports import Appender

__all__ = ["IngestContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestContext:
    """Of one worker.

    Attributes:
        keys: the keys in force.
        appender: where accepted requests become durable.
        admission: bytes that may be in flight.
        max_body_bytes: of a body. Envoy refuses what comes larger; in a worker it is what unpacks to more, or is more
            when Envoy has made a typed message of it.
        clock: seconds since the epoch.
        event_counts: compares how many events there are with how many the caller says it sends.
    """

    keys: KeysInForce
    appender: Appender
    admission: Admission
    max_body_bytes: int
    clock: Callable[[], float]
    event_counts: EventCounts

    @property
    def inline_bytes(self) -> int:
        """Of the largest body that is handled without a thread."""
        return min(INLINE_BYTES, self.max_body_bytes)

    def key_for(self, door: Door, caller: Caller) -> Key | Refusal:
        """The caller's key, if it opens the door."""
        return door.key_for(caller, self.keys, now=self.clock())

    def unpacked_inline(self, body: bytes, encoding: str) -> bytes | Invalid | None:
        """Unpack what is small before and after; None: it is to be done in a thread. See `unpacked`."""
        if len(body) > INLINE_PACKED_BYTES:
            return None
        plain = unpacked(body, encoding, max_bytes=self.inline_bytes)
        return None if isinstance(plain, TooLarge) else plain
