"""What most requests are: of a known key, small, valid at the first look. They go to the log where they arrive.

The thread that takes the calls does it; all that needs more, or has something wrong with it, goes to receive.py, which
does it from the beginning. So no request is judged here: it goes to the log, or is left.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sluice.ingest import metrics
from sluice.ingest.caller import client_time_of
from sluice.ingest.door import INLINE_BYTES, INLINE_PACKED_BYTES
from sluice.ingest.outcome import Accepted, Outcome, Unavailable, Why
from sluice.ingest.unpack import unpacked
from sluice.ingest.validate import Valid
from sluice.ingest.violations import Invalid
from sluice.keys.key import Key
from sluice.log.ports import Appender, LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.ingest.admission import Admission
    from sluice.ingest.caller import Caller
    from sluice.ingest.door import Door, KeysInForce
    from sluice.ingest.event_count import EventCounts
    from sluice.log.ports import Entry

__all__ = ["AtOnce"]


class AtOnce:
    """Takes requests of all doors of one worker, in any thread.

    Args:
        keys: the keys in force.
        appender: where accepted requests become durable.
        admission: bytes that may be in flight.
        max_body_bytes: of a body.
        clock: seconds since the epoch.
        event_counts: compares how many events there are with how many the caller says it sends.
    """

    def __init__(
        self,
        *,
        keys: KeysInForce,
        appender: Appender,
        admission: Admission,
        max_body_bytes: int,
        clock: Callable[[], float],
        event_counts: EventCounts,
    ) -> None:
        self._keys = keys
        self._appender = appender
        self._admission = admission
        self._most_bytes = min(INLINE_BYTES, max_body_bytes)
        self._clock = clock
        self._event_counts = event_counts
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
        if self._is_stopping or not self._appender.healthy:
            return False
        plain = self._small(body, caller.content_encoding)
        if plain is None or not self._admission.admit(len(plain)):
            return False
        try:
            entry = self._entry(door, caller, plain, request_id)
        except BaseException:
            self._admission.release(len(plain))
            raise
        if entry is None:
            self._admission.release(len(plain))
            return False
        if caller.event_count:
            self._event_counts.compare(caller.event_count, entry.event_count, caller, request_id)
        waiting = _Waiting(self, entry, len(plain), reply)
        self._waiting.add(waiting)
        try:
            self._appender.put(entry, waiting)
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
        self._admission.release(waiting.size_bytes)

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
        if not encoding:
            return body if len(body) <= self._most_bytes else None
        if len(body) > INLINE_PACKED_BYTES:
            return None
        plain = unpacked(body, encoding, max_bytes=self._most_bytes)
        return plain if isinstance(plain, bytes) else None

    def _entry(self, door: Door, caller: Caller, body: bytes, request_id: bytes) -> Entry | None:
        """What goes to the log; None where anything is missing, or isn't as it should be."""
        key = door.key_for(caller, self._keys, now=self._clock())
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
        return door.known(request_id, key, caller, client_time_ms=told).accepted(
            shape.to_store(body), event_count=found.event_count, body_format=found.body_format
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
        if not self._told.acquire(blocking=False):
            return  # it was given up
        self._at_once.let_go(self)
        if is_durable:
            metrics.count_accepted(self._entry)
            self._reply(Accepted())
        else:
            self._refuse(Why.LOG_UNAVAILABLE)

    def give_up(self) -> None:
        if self._told.acquire(blocking=False):
            self._at_once.let_go(self)
            self._refuse(Why.STOPPING)

    def _refuse(self, why: Why) -> None:
        outcome = Unavailable(why)
        metrics.count_refused(outcome)
        self._reply(outcome)
