"""What all doors do with a request: admit it, find the key, validate, append, answer.

at_once.py has looked at it first; this is for those that need more time, or a refusal. It runs in the event loop, and
what is slow in threads of its own.

Checks run in this order, so a caller without a key learns nothing but that. What is refused of a known key is kept
(rejects.py); where the key says so, bad events are set aside and the good ones accepted (quarantine.py). Nothing here
knows gRPC.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from msgspec import structs

from sluice.ingest import metrics
from sluice.ingest.caller import client_time_of
from sluice.ingest.door import INLINE_BYTES
from sluice.ingest.outcome import Accepted, KeyRefused, Outcome, TooLarge, Unavailable, Why
from sluice.ingest.quarantine import parted
from sluice.ingest.unpack import unpacked
from sluice.ingest.validate import Unclear, Valid
from sluice.ingest.violations import Invalid
from sluice.keys.key import Key, OnInvalid, Refusal, prefix_of
from sluice.log.ports import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sluice.ingest.caller import Caller
    from sluice.ingest.context import IngestContext
    from sluice.ingest.door import Door, Shape
    from sluice.ingest.known_request import KnownRequest
    from sluice.ingest.quarantine import Parted
    from sluice.ingest.rejects import Rejects
    from sluice.log.ports import Body, Entry

__all__ = ["Receiver"]

# To look closely takes up to 1.5 µs and 30 bytes for each byte of a body: longer ones are looked at in a thread, one at
# a time.
_LOOK_CLOSER_INLINE_BYTES = 8 * 1024

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Receiver:
    """Takes requests of all doors of one worker.

    Args:
        context: of the worker.
        rejects: keeps what is refused.
    """

    def __init__(self, context: IngestContext, *, rejects: Rejects) -> None:
        self._context = context
        self._rejects = rejects
        self._looking_closer = asyncio.Lock()
        self._waiting: set[asyncio.Task[object]] = set()
        self._stopping = False
        self._given_up = False

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
        if isinstance(plain, bytes) and len(plain) > self._context.max_body_bytes:
            plain = TooLarge(self._context.max_body_bytes)
        size = len(plain) if isinstance(plain, bytes) else 0
        if self._stopping:
            outcome: Outcome = Unavailable(Why.STOPPING)
        elif isinstance(plain, TooLarge):
            # Before the key, as Envoy does it for bodies that it can judge.
            outcome = plain
            self._keep_too_large(door, caller, body, plain, request_id)
        elif not self._context.admission.admit(size):
            outcome = Unavailable(Why.OVERLOADED)
        else:
            try:
                outcome = await self._handle(door, caller, body, plain, request_id)
            finally:
                self._context.admission.release(size)
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

    async def _handle(
        self, door: Door, caller: Caller, sent: bytes | Invalid, body: bytes | Invalid, request_id: bytes
    ) -> Outcome:
        key = self._context.key_for(door, caller)
        # A key that was made this moment opens at once; but for one that nobody knows no large body is kept.
        if key is Refusal.UNKNOWN and _is_small(body) and await self._context.keys.catch_up():
            key = self._context.key_for(door, caller)
        if isinstance(key, Refusal):
            return KeyRefused(refusal=key, prefix=_prefix(caller.secret))
        told = client_time_of(caller)
        request = door.known(request_id, key, caller, client_time_ms=told)
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
        client_time_ms = (
            await _inline_if_small(body, door.client_time_in, body, found, request.caller) if told is None else told
        )
        if isinstance(client_time_ms, Invalid):
            return client_time_ms
        if client_time_ms != request.client_time_ms:
            request = structs.replace(request, client_time_ms=client_time_ms)
        if request.caller.event_count:
            self._context.event_counts.compare(
                request.caller.event_count, found.event_count, request.caller, request.id
            )
        if parts is not None:
            return await self._accept_part(request, parts)
        if not found.event_count:
            return Accepted()
        kept = body if found.is_stored_as_it_is else await _inline_if_small(body, shape.to_store, body)
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
        key = self._context.key_for(door, caller)
        if isinstance(key, Key):
            request = door.known(request_id, key, caller, client_time_ms=client_time_of(caller))
            self._rejects.keep(request.refused(error, sent=sent, plain=error))

    async def _unpacked(self, body: bytes, encoding: str) -> bytes | Invalid | TooLarge:
        """Unpack, in a thread what is large or becomes so: a MiB takes some milliseconds."""
        plain = self._context.unpacked_inline(body, encoding)
        if plain is not None:
            return plain
        return await asyncio.to_thread(unpacked, body, encoding, max_bytes=self._context.max_body_bytes)

    async def _validate(self, shape: Shape, body: bytes) -> Valid | Invalid:
        found = await _inline_if_small(body, shape.check, body)
        if not isinstance(found, Unclear):
            return found
        if len(body) <= _LOOK_CLOSER_INLINE_BYTES:
            return shape.look_closer(body)
        async with self._looking_closer:
            return await asyncio.to_thread(shape.look_closer, body)

    async def _append(self, entry: Entry) -> Accepted | Unavailable:
        refused = await self._durably(self._context.appender.append(entry))
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


async def _inline_if_small(body: bytes, do: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
    """Do what takes time by the byte: of a larger body in a thread."""
    if len(body) <= INLINE_BYTES:
        return do(*args, **named)
    return await asyncio.to_thread(do, *args, **named)


def _is_small(body: bytes | Invalid) -> bool:
    return isinstance(body, Invalid) or len(body) <= INLINE_BYTES


def _prefix(secret: str | None) -> str:
    return "".join(character if "!" <= character <= "~" else "?" for character in prefix_of(secret or ""))
