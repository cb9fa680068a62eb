"""A batch: the events of one request, from the first that is collected until all are settled.

Its key never changes, over all tries and restarts: a server, or a reader of the lake, finds repeats by it. Events that
are sent on without those that were refused are another batch, with a key of its own.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

__all__ = ["Batch", "key_text"]


@dataclass(slots=True, eq=False, kw_only=True)
class Batch:
    """What is known of a batch; its events are in a store.

    Attributes:
        key: its idempotency key, a UUID, 16 bytes.
        epoch: how many flushes had begun when its first event was logged.
        since: when it was begun.
        events: how many there are.
        size: their bytes.
        tries: how many were begun.
        not_before: when the next may be made.
        tried_at: when the last was begun.
        last: what the last one came to.
        may_be_stored: a try may have reached the server.
    """

    key: bytes = field(default_factory=lambda: uuid.uuid4().bytes)
    epoch: int
    since: float
    events: int = 0
    size: int = 0
    tries: int = 0
    not_before: float = float("-inf")
    tried_at: float = float("-inf")
    last: str = "not tried"
    may_be_stored: bool = False


def key_text(key: bytes) -> str:
    """A key as requests carry it: a UUID's usual text."""
    return str(uuid.UUID(bytes=key))
