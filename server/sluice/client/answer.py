"""What one try came to: a gRPC status, in the three words that the client knows.

    status                                          answer
    OK                                              Delivered
    UNAVAILABLE, DEADLINE_EXCEEDED,
    RESOURCE_EXHAUSTED                              Later
    UNAUTHENTICATED, PERMISSION_DENIED,
    UNIMPLEMENTED                                   Later, and somebody must mend the key or the address first
    INVALID_ARGUMENT, OUT_OF_RANGE                  Refused: the batch itself is at fault
    any other                                       Later, but not for ever: no Sluice says so, but what stands between
                                                    may (a proxy that resets a stream is INTERNAL or UNKNOWN)

A key or an address that is wrong says nothing against the events: to drop them would lose all that is logged while
somebody mends a setting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from sluice.events.v1 import events_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.rpc.status_pb2 import Status

__all__ = [
    "Answer",
    "Delivered",
    "Later",
    "Refused",
    "Violation",
    "answer_of",
    "answer_of_call",
    "delivered",
    "fault_of",
]

_LONGEST_MESSAGE = 500

_REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE}
_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_OF_SETUP = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
}

_EVENT_PATH = re.compile(r"events\[(\d{1,9})\]\.?(.*)", re.DOTALL)
# In a message: `events[3].time: expected …, got …; events[17].event_name: missing, …; and 5 more (7 of 500 events …)`.
_EVENT_IN_MESSAGE = re.compile(
    r"(?:^|; )events\[(\d{1,9})\]\.?([^:;\s]*): (.*?)(?=; events\[|; and \d+ more| \(\d+ of \d+ events|$)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place where an event breaks the contract.

    Attributes:
        index: which event of the batch.
        path: where in it; "": the whole of it.
        message: what was expected and found.
    """

    index: int
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The events are durable at the server.

    Attributes:
        set_aside: how many of them are invalid, and were set aside there: the key asks for quarantine.
    """

    set_aside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The same batch may be sent again.

    Attributes:
        code: the name of the gRPC status.
        message: what the server, or gRPC, says.
        delay_s: the server asks to wait this long, in seconds.
        needs_you: waiting alone will not help.
        for_ever: whether the same answer may come again and again.
    """

    code: str
    message: str
    delay_s: float = 0.0
    needs_you: bool = False
    for_ever: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The server takes no event of this batch, and would not if it were sent again.

    Attributes:
        message: what the server says.
        violations: what it says of single events; none: it says nothing of these.
        most_bytes: how large a request may be, where the batch was larger.
    """

    message: str
    violations: tuple[Violation, ...] = ()
    most_bytes: int | None = None


Answer: TypeAlias = Delivered | Later | Refused


def answer_of(code: grpc.StatusCode, message: str | None, trailers: Iterable[tuple[str, str | bytes]] | None) -> Answer:
    """What a try came to that has failed.

    Args:
        code: the status of the call.
        message: its text.
        trailers: its trailing metadata; `grpc-status-details-bin` is read where it is there.
    """
    text = message or ""
    status = _status_in(trailers or ())
    if code in _REFUSED:
        violations = _violations_in(status) if status is not None else ()
        return Refused(
            message=text[:_LONGEST_MESSAGE],
            violations=violations or _violations_in_text(text),
            most_bytes=_limit_in(status) if status is not None else None,
        )
    return Later(
        code=code.name,
        message=text[:_LONGEST_MESSAGE],
        delay_s=_delay_in(status) if status is not None else 0.0,
        needs_you=code in _OF_SETUP,
        for_ever=code in _TRANSIENT or code in _OF_SETUP,
    )


def answer_of_call(call: grpc.Call) -> Answer:
    """What a call that has failed came to."""
    return answer_of(call.code(), call.details(), call.trailing_metadata())


def delivered(response: bytes) -> Delivered:
    """What a call came to that has this response."""
    try:
        # Both methods' responses have the same fields.
        return Delivered(set_aside=pb.LogEventResponse.FromString(response).quarantined_events)
    except DecodeError:
        # OK all the same: to send it again would store it twice.
        return Delivered()


def fault_of(error: Exception) -> Later:
    """What a call came to that gRPC could not make or report."""
    return Later(code="UNKNOWN", message=type(error).__qualname__, for_ever=False)


def _status_in(trailers: Iterable[tuple[str, str | bytes]]) -> Status | None:
    from google.rpc import status_pb2  # noqa: PLC0415  10 ms that only errors need take

    from sluice.error_details import DETAILS_TRAILER  # noqa: PLC0415  as above

    for name, value in trailers:
        if name == DETAILS_TRAILER and isinstance(value, bytes):
            try:
                status: Status = status_pb2.Status.FromString(value)
            except DecodeError:
                return None
            return status
    return None


def _violations_in(status: Status) -> tuple[Violation, ...]:
    from google.rpc import error_details_pb2  # noqa: PLC0415  as above

    found = []
    for detail in status.details:
        bad = error_details_pb2.BadRequest()
        if detail.Is(bad.DESCRIPTOR) and detail.Unpack(bad):
            for violation in bad.field_violations:
                match = _EVENT_PATH.fullmatch(violation.field)
                if match:
                    found.append(_violation(match[1], match[2], violation.description))
    return tuple(found)


def _violations_in_text(text: str) -> tuple[Violation, ...]:
    matches: Sequence[tuple[str, str, str]] = _EVENT_IN_MESSAGE.findall(text)
    return tuple(_violation(index, path, said) for index, path, said in matches)


def _violation(index: str, path: str, message: str) -> Violation:
    return Violation(index=int(index), path=path, message=message[:_LONGEST_MESSAGE])


def _limit_in(status: Status) -> int | None:
    """The `max_bytes` of a google.rpc.ErrorInfo with the reason TOO_LARGE."""
    from google.rpc import error_details_pb2  # noqa: PLC0415  as above

    from sluice.error_details import DOMAIN, Reason  # noqa: PLC0415  as above

    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            said: str = info.metadata["max_bytes"]
            if info.reason == Reason.TOO_LARGE.value and said.isdecimal():
                return int(said)
    return None


def _delay_in(status: Status) -> float:
    from google.rpc import error_details_pb2  # noqa: PLC0415  as above

    for detail in status.details:
        retry = error_details_pb2.RetryInfo()
        if detail.Is(retry.DESCRIPTOR) and detail.Unpack(retry):
            delay_s: float = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
            return max(0.0, delay_s)
    return 0.0
