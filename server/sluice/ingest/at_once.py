"""What most requests are: of a known key, small, valid at the first look. They go to the log where they arrive.

The thread that takes the calls does it; all that needs more, or has something wrong with it, goes to receive.py, which
does it from the beginning. So no request is judged here: it goes to the log, or is left.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sluice.ingest import metrics
from sluice.ingest.caller import client_time_of
from sluice.ingest.outcome import Accepted, Outcome, Unavailable, Why
from sluice.ingest.validate import Valid
from sluice.ingest.violations import Invalid
from sluice.keys.key import Key
from sluice.log.ports import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.ingest.caller import Caller
    from sluice.ingest.context import IngestContext
    from sluice.ingest.door import Door
    from sluice.log.ports import Entry

__all__ = ["AtOnce"]


class AtOnce:
    """Takes requests of all doors of one worker, in any thread.

    Args:
        context: of the worker.
    """

    def __init__(self, context: IngestContext) -> None:
        self._context = context
        self._most_bytes = context.inline_bytes
        self._waiting: set[_Waiting] = set()
        self._is_stopping = False
        self._has_given_up = False

    def take(
        self, door: Door, caller: Caller, body: bytes, request_id: bytes, reply: Callable[[Outcome], None]
    ) -> bool:
        """Take a request, if that needs neither time nor a refusal.

        Args:
            door: where it came in.
            caller: who sent it.
            body: as it came.
            request_id: 16 bytes.
            reply: is told what became of it, by the thread that knows it.

        Returns:
            Whether `reply` is told. False: nothing was done.
        """
        context = self._context
        if self._is_stopping or not context.appender.healthy:
            return False
        plain = self._small(body, caller.content_encoding)
        if plain is None or not context.admission.admit(len(plain)):
            return False
        entry: Entry | None = None
        try:
            entry = self._entry(door, caller, plain, request_id)
        finally:
            if entry is None:
                context.admission.release(len(plain))
        if entry is None:
            return False
        if caller.event_count:
            context.event_counts.compare(caller.event_count, entry.event_count, caller, request_id)
        waiting = _Waiting(self, entry, len(plain), reply)
        self._waiting.add(waiting)
        try:
            context.appender.put(entry, waiting)
        except LogUnavailable:
            waiting(False)
        except BaseException:
            self.let_go(waiting)
            raise
        if self._has_given_up:
            waiting.give_up()  # it came just then
        return True

    def let_go(self, waiting: _Waiting) -> None:
        """A request waits for the disk no more."""
        self._waiting.discard(waiting)
        self._context.admission.release(waiting.size_bytes)

    def stop(self) -> None:
        """Take no more requests; those on their way go on."""
        self._is_stopping = True

    def give_up(self) -> None:
        """Let requests that wait for the disk be answered UNAVAILABLE. What was handed over may yet be written."""
        self._is_stopping = self._has_given_up = True
        for waiting in list(self._waiting):
            waiting.give_up()

    def _small(self, body: bytes, encoding: str) -> bytes | None:
        """The body unpacked, if it is small before and after."""
        plain = self._context.unpacked_inline(body, encoding) if encoding else body
        return plain if isinstance(plain, bytes) and len(plain) <= self._most_bytes else None

    def _entry(self, door: Door, caller: Caller, body: bytes, request_id: bytes) -> Entry | None:
        """What goes to the log; None where anything is missing, or isn't as it should be."""
        key = self._context.key_for(door, caller)
        if not isinstance(key, Key):
            return None
        shape = door.shape_of(caller)
        found = shape.check(body)
        if not isinstance(found, Valid) or not found.event_count:
            return None
        told = client_time_of(caller)
        if told is None:
            told = door.client_time_in(body, found, caller)
        if isinstance(told, Invalid):
            return None
        kept = body if found.is_stored_as_it_is else shape.to_store(body)
        return door.known(request_id, key, caller, client_time_ms=told).accepted(
            kept, event_count=found.event_count, body_format=found.body_format
        )


class _Waiting:
    """A request on its way to the disk; is told by the log whether it is durable."""

    __slots__ = ("_at_once", "_entry", "_reply", "_told", "size_bytes")

    def __init__(self, at_once: AtOnce, entry: Entry, size_bytes: int, reply: Callable[[Outcome], None]) -> None:
        self._at_once = at_once
        self._entry = entry
        self._reply = reply
        self._told = threading.Lock()
        self.size_bytes = size_bytes

    def __call__(self, is_durable: bool) -> None:
        self._tell(Accepted() if is_durable else Unavailable(Why.LOG_UNAVAILABLE))

    def give_up(self) -> None:
        self._tell(Unavailable(Why.STOPPING))

    def _tell(self, outcome: Accepted | Unavailable) -> None:
        if not self._told.acquire(blocking=False):
            return  # something was told before
        self._at_once.let_go(self)
        if isinstance(outcome, Accepted):
            metrics.count_accepted(self._entry)
        else:
            metrics.count_refused(outcome)
        self._reply(outcome)
