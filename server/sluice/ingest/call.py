"""One gRPC call of any door: its request id, its outcome, its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.ingest.answers import answer_to
from sluice.ingest.caller import caller_of
from sluice.ingest.outcome import Accepted, Outcome, Unavailable, Why
from sluice.log.ids import request_id_text
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sluice.ingest.at_once import AtOnce
    from sluice.ingest.call_server import Sent, ServerCall
    from sluice.ingest.caller import Caller
    from sluice.ingest.door import Door
    from sluice.ingest.receive import Receiver
    from sluice.ingest.violations import Invalid

__all__ = ["Answers", "Desk", "Way"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a method leads to.

    Attributes:
        door: where its requests come in.
        body_of: finds the body in what was sent, or why there is none.
        answers: what the door says.
    """

    door: Door
    body_of: Callable[[Sent], bytes | Invalid]
    answers: Answers


class Desk:
    """Answers the calls of a worker's doors.

    Args:
        at_once: takes what most requests are.
        receiver: does what the others need.
        new_request_id: makes a UUIDv7, 16 bytes.
        loop: the receiver's.
    """

    def __init__(
        self, at_once: AtOnce, receiver: Receiver, new_request_id: Callable[[], bytes], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._at_once = at_once
        self._receiver = receiver
        self._new_request_id = new_request_id
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, way: Way, call: ServerCall, sent: Sent) -> None:
        """Answer a call, now or later; in the thread that takes the calls."""
        request_id = self._new_request_id()
        caller = caller_of(call.metadata)
        reply = _Reply(call, request_id, caller, way.answers)
        try:
            body = way.body_of(sent)
            if isinstance(body, bytes) and self._at_once.take(way.door, caller, body, request_id, reply):
                return
            self._loop.call_soon_threadsafe(self._begin, way.door, caller, body, request_id, reply)
        except Exception:  # noqa: BLE001  whatever it is, the caller gets an answer and the operator a message
            _tell_of_fault(request_id)
            reply(Unavailable(Why.FAULT))

    def _begin(self, door: Door, caller: Caller, body: bytes | Invalid, request_id: bytes, reply: _Reply) -> None:
        task = self._loop.create_task(self._receive(door, caller, body, request_id, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive(
        self, door: Door, caller: Caller, body: bytes | Invalid, request_id: bytes, reply: _Reply
    ) -> None:
        try:
            outcome = await self._receiver.receive(door, caller, body, request_id)
        except Exception:  # noqa: BLE001  as above
            _tell_of_fault(request_id)
            outcome = Unavailable(Why.FAULT)
        reply(outcome)


class _Reply:
    """Sends the answer that an outcome leads to."""

    __slots__ = ("_answers", "_call", "_caller", "_request_id")

    def __init__(self, call: ServerCall, request_id: bytes, caller: Caller, answers: Answers) -> None:
        self._call = call
        self._request_id = request_id
        self._caller = caller
        self._answers = answers

    def __call__(self, outcome: Outcome) -> None:
        headers = (("x-request-id", request_id_text(self._request_id)),)
        if isinstance(outcome, Accepted):
            set_aside = outcome.set_aside
            message = self._answers.some_set_aside(set_aside) if set_aside else self._answers.accepted
            self._call.answer(message, headers)
            return
        answer = answer_to(outcome, transcoded=self._caller.transcoded)
        if answer.trailers_only:
            self._call.fail(answer.code, answer.message, trailers=(*headers, *answer.trailers))
        else:
            self._call.fail(answer.code, answer.message, headers=(*headers, *answer.headers), trailers=answer.trailers)


def _tell_of_fault(request_id: bytes) -> None:
    _messages.exception("request failed by a fault", request_id=request_id_text(request_id))
