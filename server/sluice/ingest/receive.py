"""What all doors do with a request: admit it, find the key, validate, append, answer.

    take_at_once   what most requests are, small and valid at the first look: in the thread that takes the calls
    receive        all others, and whatever is refused: in the event loop, and what is slow in threads of its own

Checks run in this order, so a caller without a key learns nothing but that. What is refused of a known key is kept
(rejects.py); where the key says so, bad events are set aside and the good ones accepted (quarantine.py). Nothing here
knows gRPC.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from msgspec import structs

from sluice.contract import Source
from sluice.ingest import metrics
from sluice.ingest.caller import client_time_missing, client_time_of
from sluice.ingest.known_request import KnownRequest
from sluice.ingest.outcome import Accepted, KeyRefused, Outcome, TooLarge, Unavailable, Why
from sluice.ingest.quarantine import parted
from sluice.ingest.unpack import unpacked
from sluice.ingest.validate import Unclear, Valid
from sluice.ingest.violations import Invalid
from sluice.keys.key import Key, OnInvalid, Refusal, prefix_of
from sluice.log.ports import Appender, Body, LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sluice.ingest.admission import Admission
    from sluice.ingest.caller import Caller
    from sluice.ingest.event_count import EventCounts
    from sluice.ingest.quarantine import Parted
    from sluice.ingest.rejects import Rejects
    from sluice.log.ports import Entry

__all__ = ["Door", "KeysInForce", "Receiver", "Shape"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

# What is slow by the byte is done in a thread for a larger body: cutting one of 10 MiB may take a second, and to look
# at it closely half a second and 30 times its size, so that is done for one body at a time.
_INLINE_BYTES = 256 * 1024
_INLINE_PACKED_BYTES = 64 * 1024


class Shape(Protocol):
    """What the body of a door must be, and what of it is kept."""

    def check(self, body: bytes) -> Valid | Invalid | Unclear:
        """Look quickly."""

    def look_closer(self, body: bytes) -> Valid | Invalid:
        """Look again at what is unclear."""

    def client_time(self, body: bytes, found: Valid) -> int | Invalid | None:
        """The client's clock as a valid body tells it; asked only where neither header nor query does."""

    def to_store(self, body: bytes) -> bytes:
        """What of a valid body goes to the log."""


class KeysInForce(Protocol):
    """Where keys are looked up."""

    def check(self, secret: str | None, source: Source, *, from_query: bool, now: float) -> Key | Refusal:
        """The key, if it opens the door."""

    async def catch_up(self) -> bool:
        """Wait a moment for changes that were made before this call; False if they may not be in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One way in.

    Attributes:
        http_source: the source of what Envoy transcoded; that of other calls is `grpc`.
        http_needs_client_time: whether what Envoy transcoded must tell the client's clock.
        shape: what its bodies must be.
        body_format: what its bodies are, unless their shape finds another.
        transcoded_shape: what those must be that Envoy made of JSON, where that is something else.
    """

    http_source: Source
    http_needs_client_time: bool
    shape: Shape
    body_format: Body
    transcoded_shape: Shape | None = None

    def shape_of(self, caller: Caller) -> Shape:
        """What a caller's bodies must be."""
        return self.transcoded_shape if caller.transcoded and self.transcoded_shape else self.shape


class Receiver:
    """Takes requests of all doors of one worker.

    Args:
        keys: the keys in force.
        appender: where accepted requests become durable.
        rejects: keeps what is refused.
        admission: bytes that may be in flight.
        max_body_bytes: of a body. Envoy refuses what comes larger; here it is what unpacks to more, or is more when
            Envoy has made a typed message of it.
        clock: seconds since the epoch.
        event_counts: compares how many events there are with how many the caller says it sends.
    """

    def __init__(
        self,
        *,
        keys: KeysInForce,
        appender: Appender,
        rejects: Rejects,
        admission: Admission,
        max_body_bytes: int,
        clock: Callable[[], float],
        event_counts: EventCounts,
    ) -> None:
        self._keys = keys
        self._appender = appender
        self._rejects = rejects
        self._admission = admission
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._event_counts = event_counts
        self._looking_closer = asyncio.Lock()
        self._waiting: set[asyncio.Task[object]] = set()
        self._at_once: set[_TakenAtOnce] = set()
        self._stopping = False
        self._given_up = False

    def take_at_once(  # noqa: PLR0911  each way out is one reason to take more time
        self, door: Door, caller: Caller, body: bytes, request_id: bytes, reply: Callable[[Outcome], None]
    ) -> bool:
        """Accept a request of a known key that is small, and valid at the first look.

        Args:
            door: where it came in.
            caller: who sent it.
            body: as it came.
            request_id: 16 bytes.
            reply: is told what became of it, by the thread that knows it.

        Returns:
            Whether it is accepted when it is durable. False: nothing was done, and `receive` does all.
        """
        plain = self._small(body, caller.content_encoding)
        if plain is None or self._stopping:
            return False
        source = door.http_source if caller.transcoded else Source.GRPC
        key = self._key_for(door, source, caller)
        if not isinstance(key, Key):
            return False
        shape = door.shape_of(caller)
        found = shape.check(plain)
        if not isinstance(found, Valid) or not found.event_count:
            return False
        told = client_time_of(caller)
        if told is None:
            told = _client_time_of_body(plain, found, door, caller)
        if isinstance(told, Invalid):
            return False
        request = _known(request_id, door, source, key, caller, client_time_ms=told)
        entry = request.accepted(shape.to_store(plain), event_count=found.event_count, body_format=found.body_format)
        if not self._admission.admit(len(plain)):
            return False
        taken = _TakenAtOnce(self, entry, len(plain), reply)
        self._at_once.add(taken)
        try:
            self._appender.put(entry, taken)
        except Exception as exc:
            self.let_go(taken)
            if isinstance(exc, LogUnavailable):
                return False
            raise
        if caller.event_count:
            self._event_counts.compare(caller.event_count, found.event_count, caller, request_id)
        return True

    def let_go(self, taken: _TakenAtOnce) -> None:
        """What was taken at once waits no more."""
        self._at_once.discard(taken)
        self._admission.release(taken.size_bytes)

    async def receive(self, door: Door, caller: Caller, body: bytes | Invalid, request_id: bytes) -> Outcome:
        """Do all that a request needs; return what became of it. Accepted: it is durable.

        Args:
            door: where it came in.
            caller: who sent it.
            body: as it came; or why the door has none.
            request_id: 16 bytes.
        """
        plain: bytes | Invalid | TooLarge = body
        if caller.content_encoding and isinstance(body, bytes):
            plain = await self._unpacked(body, caller.content_encoding)
        if isinstance(plain, bytes) and len(plain) > self._max_body_bytes:
            plain = TooLarge(self._max_body_bytes)
        size = len(plain) if isinstance(plain, bytes) else 0
        if self._stopping:
            outcome: Outcome = Unavailable(Why.STOPPING)
        elif isinstance(plain, TooLarge):
            # Before the key, as Envoy does it for bodies that it can judge.
            outcome = plain
            self._keep_too_large(door, caller, body, plain, request_id)
        elif not self._admission.admit(size):
            outcome = Unavailable(Why.OVERLOADED)
        else:
            try:
                outcome = await self._handle(door, caller, body, plain, request_id)
            finally:
                self._admission.release(size)
        if not isinstance(outcome, Accepted):
            metrics.count_refused(outcome)
        return outcome

    def stop(self) -> None:
        """Take no more requests; those in flight finish."""
        self._stopping = True

    def give_up(self) -> None:
        """Let requests that still wait for the log be answered UNAVAILABLE. What was handed over may yet be written."""
        self._stopping = self._given_up = True
        for task in list(self._waiting):
            task.cancel()
        for taken in list(self._at_once):
            taken.give_up()

    async def _handle(
        self, door: Door, caller: Caller, sent: bytes | Invalid, body: bytes | Invalid, request_id: bytes
    ) -> Outcome:
        source = door.http_source if caller.transcoded else Source.GRPC
        key = self._key_for(door, source, caller)
        # A key that was made this moment opens at once; but for one that nobody knows no large body is kept.
        if key is Refusal.UNKNOWN and _is_small(body) and await self._keys.catch_up():
            key = self._key_for(door, source, caller)
        if isinstance(key, Refusal):
            return KeyRefused(refusal=key, prefix=_prefix(caller.secret))
        told = client_time_of(caller)
        request = _known(request_id, door, source, key, caller, client_time_ms=told)
        outcome = await self._take(request, door, body, told)
        if isinstance(outcome, Invalid):
            self._rejects.keep(request.refused(outcome, sent=sent, plain=body))
        return outcome

    async def _take(
        self, request: KnownRequest, door: Door, body: bytes | Invalid, told: int | Invalid | None
    ) -> Outcome:
        """Accept the request, or part of it, or say what is wrong with it.

        Args:
            request: whose it is.
            door: where it came in.
            body: unpacked; or why it isn't.
            told: the client's clock, as headers and query say it.
        """
        if isinstance(body, Invalid):
            return body
        shape = door.shape_of(request.caller)
        found = await self._validate(shape, body)
        parts: Parted | None = None
        if isinstance(found, Invalid):
            if request.key.on_invalid is OnInvalid.QUARANTINE and found.invalid_events:
                parts = await self._parted(shape, body, request.body_format)
            if parts is None:
                return found
            found = parts.found
        client_time_ms = await _client_time_in(body, found, door, request.caller) if told is None else told
        if isinstance(client_time_ms, Invalid):
            return client_time_ms
        if client_time_ms != request.client_time_ms:
            request = structs.replace(request, client_time_ms=client_time_ms)
        if request.caller.event_count:
            self._event_counts.compare(request.caller.event_count, found.event_count, request.caller, request.id)
        if parts is not None:
            return await self._accept_part(request, parts)
        if not found.event_count:
            return Accepted()
        kept = await _inline_if_small(body, shape.to_store, body)
        return await self._append(request.accepted(kept, event_count=found.event_count, body_format=found.body_format))

    async def _parted(self, shape: Shape, body: bytes, body_format: Body) -> Parted | None:
        # Also a small one: what it has beside its events is gone through once for each of them.
        async with self._looking_closer:
            return await asyncio.to_thread(parted, body, shape=shape, body_format=body_format)

    async def _accept_part(self, request: KnownRequest, parts: Parted) -> Accepted | Unavailable:
        """Set the bad events aside and accept the good ones."""
        # The bad ones first: what was acknowledged is then either a row or set aside, whatever happens in between.
        refused = await self._durably(self._rejects.set_aside(request.set_aside(parts)))
        if refused is not None:
            return refused
        if parts.accepted is not None:
            entry = request.accepted(parts.accepted, event_count=parts.found.event_count, set_aside=parts.indices)
            outcome = await self._append(entry)
            if isinstance(outcome, Unavailable):
                return outcome
        bad = len(parts.indices)
        metrics.count_set_aside(request.source, bad)
        return Accepted(set_aside=bad)

    def _keep_too_large(
        self, door: Door, caller: Caller, sent: bytes | Invalid, error: TooLarge, request_id: bytes
    ) -> None:
        source = door.http_source if caller.transcoded else Source.GRPC
        key = self._key_for(door, source, caller)
        if isinstance(key, Key):
            request = _known(request_id, door, source, key, caller, client_time_ms=client_time_of(caller))
            self._rejects.keep(request.refused(error, sent=sent, plain=error))

    async def _unpacked(self, body: bytes, encoding: str) -> bytes | Invalid | TooLarge:
        """Unpack, in a thread what is large or becomes so: a MiB takes some milliseconds."""
        if len(body) <= _INLINE_PACKED_BYTES:
            plain = unpacked(body, encoding, max_bytes=min(_INLINE_BYTES, self._max_body_bytes))
            if not isinstance(plain, TooLarge):
                return plain
        return await asyncio.to_thread(unpacked, body, encoding, max_bytes=self._max_body_bytes)

    def _small(self, body: bytes, encoding: str) -> bytes | None:
        """The body unpacked, if it is small before and after."""
        if encoding:
            if len(body) > _INLINE_PACKED_BYTES:
                return None
            plain = unpacked(body, encoding, max_bytes=min(_INLINE_BYTES, self._max_body_bytes))
            return plain if isinstance(plain, bytes) else None
        return body if len(body) <= min(_INLINE_BYTES, self._max_body_bytes) else None

    def _key_for(self, door: Door, source: Source, caller: Caller) -> Key | Refusal:
        key = self._keys.check(caller.secret, source, from_query=caller.secret_in_query, now=self._clock())
        # What a key may not send as JSON it may not send as protobuf either: pages reach this door by gRPC-Web.
        if isinstance(key, Key) and door.http_source is Source.WEBHOOK and Source.WEBHOOK not in key.sources:
            return Refusal.NOT_FOR_THIS_DOOR
        return key

    async def _validate(self, shape: Shape, body: bytes) -> Valid | Invalid:
        found = shape.check(body)
        if not isinstance(found, Unclear):
            return found
        if len(body) <= _INLINE_BYTES:
            return shape.look_closer(body)
        async with self._looking_closer:
            return await asyncio.to_thread(shape.look_closer, body)

    async def _append(self, entry: Entry) -> Accepted | Unavailable:
        refused = await self._durably(self._appender.append(entry))
        if refused is not None:
            return refused
        metrics.count_accepted(entry)
        return Accepted()

    async def _durably(self, appended: Awaitable[None]) -> Unavailable | None:
        """Wait until something is durable; return why it can't be."""
        task = asyncio.current_task()
        assert task is not None, "a coroutine of an event loop runs in a task"
        self._waiting.add(task)
        try:
            await appended
        except LogUnavailable:
            return Unavailable(Why.LOG_UNAVAILABLE)
        except asyncio.CancelledError:
            if not self._given_up:
                raise
            # UNAVAILABLE, not CANCELLED: Envoy makes 499 of the latter.
            task.uncancel()
            return Unavailable(Why.STOPPING)
        finally:
            self._waiting.discard(task)
        return None


class _TakenAtOnce:
    """A request on its way to the disk; is told by the log whether it is durable."""

    __slots__ = ("_entry", "_receiver", "_reply", "_told", "size_bytes")

    def __init__(self, receiver: Receiver, entry: Entry, size_bytes: int, reply: Callable[[Outcome], None]) -> None:
        self._receiver = receiver
        self._entry = entry
        self._reply = reply
        self._told = threading.Lock()
        self.size_bytes = size_bytes

    def __call__(self, is_durable: bool) -> None:
        if not self._told.acquire(blocking=False):
            return  # it was given up
        self._receiver.let_go(self)
        if is_durable:
            metrics.count_accepted(self._entry)
            self._reply(Accepted())
        else:
            self._refuse(Why.LOG_UNAVAILABLE)

    def give_up(self) -> None:
        if self._told.acquire(blocking=False):
            self._receiver.let_go(self)
            self._refuse(Why.STOPPING)

    def _refuse(self, why: Why) -> None:
        outcome = Unavailable(why)
        metrics.count_refused(outcome)
        self._reply(outcome)


def _known(
    request_id: bytes, door: Door, source: Source, key: Key, caller: Caller, *, client_time_ms: int | Invalid | None
) -> KnownRequest:
    return KnownRequest(
        id=request_id,
        source=source,
        body_format=door.body_format,
        key=key,
        caller=caller,
        client_time_ms=None if isinstance(client_time_ms, Invalid) else client_time_ms,
    )


async def _client_time_in(body: bytes, found: Valid, door: Door, caller: Caller) -> int | Invalid | None:
    """The client's clock of a request that doesn't tell it outside of its body."""
    return await _inline_if_small(body, _client_time_of_body, body, found, door, caller)


def _client_time_of_body(body: bytes, found: Valid, door: Door, caller: Caller) -> int | Invalid | None:
    told = door.shape_of(caller).client_time(body, found)
    if told is None and caller.transcoded and door.http_needs_client_time:
        return client_time_missing()
    return told


async def _inline_if_small(body: bytes, do: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
    """Do what takes time by the byte: of a larger body in a thread."""
    if len(body) <= _INLINE_BYTES:
        return do(*args, **named)
    return await asyncio.to_thread(do, *args, **named)


def _is_small(body: bytes | Invalid) -> bool:
    return isinstance(body, Invalid) or len(body) <= _INLINE_BYTES


def _prefix(secret: str | None) -> str:
    return "".join(character if "!" <= character <= "~" else "?" for character in prefix_of(secret or ""))
