"""What a native caller's program is told of an error: ErrorInfo always, BadRequest for what is invalid, RetryInfo.

A gRPC client takes 8 KiB of trailers unless it says otherwise, and the message stands in them twice, as clients compare
the two. So when there is too much, violations are left out of BadRequest, the last ones first; ErrorInfo counts all
events that are invalid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from google.rpc import error_details_pb2

from sluice.error_details import FieldReason, status_with_details
from sluice.ingest.outcome import Error, KeyRefused, TooLarge, Unavailable, Why, reason_of
from sluice.ingest.violations import MISSING, Invalid, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["RETRY_DELAY_S", "rich_status"]

# Message and details, as they travel. The rest of the 8 KiB is for the names, and for what Envoy adds to an answer that
# has trailers alone.
_TRAILERS_BYTES = 7_400
# A BadRequest's own frame within the status; and that of each violation within it.
_AROUND_BAD_REQUEST_BYTES = 64
_AROUND_A_VIOLATION_BYTES = 4

# How long to wait before the same request is sent again, at least.
RETRY_DELAY_S = {
    Why.OVERLOADED: 1,
    # A log in trouble looks every 5 s whether it is over.
    Why.LOG_UNAVAILABLE: 5,
    # By then Envoy has left out a worker that stops.
    Why.STOPPING: 1,
    Why.FAULT: 1,
}


def rich_status(error: Error, *, code: int, message: str) -> bytes:
    """The google.rpc.Status of an error, as bytes.

    Args:
        error: what became of the request.
        code: of google.rpc.Code.
        message: the answer's own.
    """
    retry_delay_s = RETRY_DELAY_S[error.why] if isinstance(error, Unavailable) else None
    status = status_with_details(code, message, reason_of(error), _facts(error), retry_delay_s=retry_delay_s)
    if isinstance(error, Invalid):
        # Binary trailers travel as base64.
        room = (_TRAILERS_BYTES - len(message)) * 3 // 4 - status.ByteSize() - _AROUND_BAD_REQUEST_BYTES
        status.details.add().Pack(_bad_request(error.violations, room))
    serialized: bytes = status.SerializeToString()
    return serialized


def _facts(error: Error) -> Mapping[str, object]:
    match error:
        case Invalid():
            counts = {"events": error.events, "invalid_events": error.invalid_events}
            return {"violations": len(error.violations)} | {name: count for name, count in counts.items() if count}
        case KeyRefused():
            return {"key_prefix": error.prefix} if error.prefix else {}
        case TooLarge():
            return {"max_bytes": error.limit_bytes}
        case Unavailable():
            return {}
        case _:
            assert_never(error)


def _bad_request(violations: Iterable[Violation], room: int) -> error_details_pb2.BadRequest:
    request = error_details_pb2.BadRequest()
    for violation in violations:
        reason = FieldReason.MISSING if violation.found == MISSING else FieldReason.INVALID
        named = error_details_pb2.BadRequest.FieldViolation(
            field=violation.path, description=violation.problem, reason=reason.value
        )
        room -= named.ByteSize() + _AROUND_A_VIOLATION_BYTES
        if room < 0:
            break
        request.field_violations.append(named)
    return request
