"""One gRPC call of any door: its request id, its outcome, its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sluice.ingest.answers import answer_to
from sluice.ingest.caller import caller_of
from sluice.ingest.outcome import Accepted, Outcome, Unavailable, Why
from sluice.log.ids import request_id_text
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from sluice.ingest.caller import Caller
    from sluice.ingest.receive import Door, Receiver
    from sluice.ingest.violations import Invalid

__all__ = ["Answers", "Context", "Desk"]

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

_messages = messages_of("ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a door says of a request that is accepted.

    Attributes:
        accepted: the message.
        some_set_aside: makes the message where so many events are set aside.
    """

    accepted: bytes
    some_set_aside: Callable[[int], bytes]


class Desk:
    """Answers the calls of a worker's doors.

    Args:
        receiver: does what a request needs.
        new_request_id: makes a UUIDv7, 16 bytes.
    """

    def __init__(self, receiver: Receiver, new_request_id: Callable[[], bytes]) -> None:
        self._receiver = receiver
        self._new_request_id = new_request_id
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_idle(self) -> bool:
        """Whether no call is being answered."""
        return self._idle.is_set()

    async def idle(self) -> None:
        """Return when no call is being answered."""
        await self._idle.wait()

    async def answer(self, context: Context, door: Door, body: bytes | Invalid, answers: Answers) -> bytes:
        """Answer one call.

        Args:
            context: the call.
            door: where it came in.
            body: what is to be kept of it; or why there is none.
            answers: the door's, if it is accepted.

        Raises:
            grpc.aio.AbortError: it is answered with an error; for the framework.
        """
        self._calls += 1
        self._idle.clear()
        try:
            request_id = self._new_request_id()
            caller = caller_of(context.invocation_metadata() or ())
            outcome = await self._outcome(door, caller, body, request_id)
            # What `abort` raises keeps this frame until the garbage collector comes; a body may be large.
            del body
            return await _reply(context, outcome, request_id_text(request_id), caller, answers)
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def _outcome(self, door: Door, caller: Caller, body: bytes | Invalid, request_id: bytes) -> Outcome:
        try:
            return await self._receiver.receive(door, caller, body, request_id)
        except Exception:  # noqa: BLE001  whatever it is, the caller gets an answer and the operator a message
            _messages.exception("request failed by a fault", request_id=request_id_text(request_id))
            return Unavailable(Why.FAULT)


async def _reply(context: Context, outcome: Outcome, request_id: str, caller: Caller, answers: Answers) -> bytes:
    headers = (("x-request-id", request_id),)
    if isinstance(outcome, Accepted):
        await context.send_initial_metadata(headers)
        return answers.some_set_aside(outcome.set_aside) if outcome.set_aside else answers.accepted
    answer = answer_to(outcome, transcoded=caller.transcoded)
    trailers: tuple[tuple[str, str | bytes], ...] = answer.trailers
    if answer.trailers_only:
        trailers = (*headers, *trailers)
    else:
        await context.send_initial_metadata((*headers, *answer.headers))
    await context.abort(answer.code, answer.message, trailers)
    raise AssertionError("abort always raises")
