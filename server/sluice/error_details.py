"""Error details of gRPC answers: why, in words for programs; docs/grpc.md says what each means.

A google.rpc.Status goes out as the trailer `grpc-status-details-bin`. Workers make one for each error of a native call
(ingest/rich_status.py); those of Envoy's own errors stand in its configuration (edge/native_errors.py).

Reasons and the names of facts are what callers' programs compare with: add, never rename.

Source: https://google.aip.dev/193; google/rpc/error_details.proto.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DETAILS_TRAILER",
    "DOMAIN",
    "PERHAPS_STORED",
    "FieldReason",
    "Reason",
    "status_with_details",
    "too_large_message",
]

DETAILS_TRAILER = "grpc-status-details-bin"
DOMAIN = "sluice"
# In the message of an error after which nobody knows.
PERHAPS_STORED = "the events may be on disk, or not: send them again"


class Reason(Enum):
    """Why a request is answered with an error; the values are those of google.rpc.ErrorInfo.reason."""

    INVALID_EVENTS = "INVALID_EVENTS"
    INVALID_REQUEST = "INVALID_REQUEST"
    TOO_LARGE = "TOO_LARGE"
    KEY_MISSING = "KEY_MISSING"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_EXPIRED = "KEY_EXPIRED"
    KEY_NOT_FOR_THIS_DOOR = "KEY_NOT_FOR_THIS_DOOR"
    SERVER_SECRET_IN_QUERY = "SERVER_SECRET_IN_QUERY"  # noqa: S105  a reason, no secret
    OVERLOADED = "OVERLOADED"
    LOG_UNAVAILABLE = "LOG_UNAVAILABLE"
    STOPPING = "STOPPING"
    INTERNAL_FAULT = "INTERNAL_FAULT"
    # Told by Envoy alone: no worker has seen the call, or none has answered it.
    NO_WORKER = "NO_WORKER"
    WORKER_LOST = "WORKER_LOST"
    NO_ANSWER = "NO_ANSWER"
    METHOD_NOT_FOUND = "METHOD_NOT_FOUND"
    REFLECTION_OFF = "REFLECTION_OFF"
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"


class FieldReason(Enum):
    """What is wrong with a field; the values are those of google.rpc.BadRequest.FieldViolation.reason."""

    MISSING = "FIELD_MISSING"
    INVALID = "FIELD_INVALID"


NO_SUCH_METHOD = (
    "method: expected one of sluice.events.v1.EventsService, got another; call LogEvent or ReceiveWebhookEvent"
)


def too_large_message(limit_bytes: int) -> str:
    """What TOO_LARGE says, whoever finds it: Envoy or a worker."""
    return f"body: expected at most {limit_bytes} bytes, unpacked, got more; send fewer events per request"


def status_with_details(
    code: int, message: str, reason: Reason, facts: Mapping[str, object], *, retry_delay_s: int | None = None
) -> status_pb2.Status:
    """An error with its ErrorInfo, and RetryInfo if the same request may be sent again.

    Args:
        code: of google.rpc.Code.
        message: the same as the answer's own; clients refuse details that say another.
        reason: why.
        facts: by name, figures and the like; never an event's content.
        retry_delay_s: how long a caller should wait at least.
    """
    status = status_pb2.Status(code=code, message=message)
    told = {name: str(fact) for name, fact in facts.items()}
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason.value, domain=DOMAIN, metadata=told))
    if retry_delay_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.seconds = retry_delay_s
        status.details.add().Pack(retry)
    return status
