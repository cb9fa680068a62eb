"""An error outcome in the words of gRPC, and through Envoy's transcoder in those of HTTP.

    outcome       gRPC code           HTTP, by Envoy
    Invalid       INVALID_ARGUMENT    400 {"message","status":400,"errors",…}
    KeyRefused    UNAUTHENTICATED     401 {"message"}
    TooLarge      INVALID_ARGUMENT    413 {"message","status":413}
    Unavailable   UNAVAILABLE         503 {"message","status":503}

UNAVAILABLE, not RESOURCE_EXHAUSTED: Envoy makes 429 of the latter, and on 429 four of five SDKs lose the batch. No gRPC
code leads to 413, so Envoy is told OUT_OF_RANGE and `x-http-status`. With 503 goes Retry-After: no SDK reads it, but
other senders of webhooks may. Source: RFC 9110, section 10.2.3.

The trailer `grpc-status-details-bin` is a google.rpc.Status. For native callers it has details (rich_status.py); for
Envoy what it prints as the body of an HTTP answer (error_body.py).

Trailers are limited: a gRPC client takes 8 KiB unless it says otherwise, Envoy 60 KiB. So a native caller's message is
cut to 1,300 bytes, which leaves most of the room to the details; one for Envoy is cut to 16 KiB, and stands whole in
the details.

gRPC's own retry takes only an answer without initial metadata: what a native caller may send again has its request id
in the trailers. Source: gRFC A6, "When Retries are Valid".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import grpc

from sluice.error_details import DETAILS_TRAILER, too_large_message
from sluice.ingest.error_body import error_body
from sluice.ingest.outcome import FAULT_MESSAGE, Error, KeyRefused, TooLarge, Unavailable, Why
from sluice.ingest.rich_status import RETRY_DELAY_S, rich_status
from sluice.ingest.violations import Invalid
from sluice.keys.key import Refusal

__all__ = ["Answer", "answer_to"]

_NATIVE_MESSAGE_BYTES = 1_300
_TRANSCODED_MESSAGE_BYTES = 16 * 1024
# What stands beside the details, which have the whole of it.
_MESSAGE_BESIDE_DETAILS_BYTES = 2_500

_KEY_MESSAGES = {
    Refusal.MISSING: "statsig-api-key: missing, expected an API key; send it in this header, a client key also as ?k=",
    Refusal.UNKNOWN: (
        "statsig-api-key: expected a key that is known here, got {key}; make one with sluice keys create, or to keep a "
        "Statsig key, import it: sluice keys import"
    ),
    Refusal.REVOKED: (
        "statsig-api-key: expected a key in force, got {key}, which is revoked; make another with sluice keys create"
    ),
    Refusal.EXPIRED: (
        "statsig-api-key: expected a key in force, got {key}, which has expired; make another with sluice keys create"
    ),
    Refusal.NOT_FOR_THIS_DOOR: (
        "statsig-api-key: expected a key for this endpoint, got {key}, which is not; use one made for it, such as "
        "a server secret"
    ),
    Refusal.SERVER_SECRET_IN_QUERY: (
        "k in the query: expected a client key, got server secret {key}; send it in the header statsig-api-key, and "
        "replace it, as addresses are logged"
    ),
}
_UNAVAILABLE_MESSAGES = {
    Why.OVERLOADED: "too many requests at once; send the batch again later",
    Why.LOG_UNAVAILABLE: "the log can't take events now; send the batch again later",
    Why.STOPPING: "this server is stopping; send the batch again",
    Why.FAULT: FAULT_MESSAGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An error as gRPC sends it.

    Attributes:
        code: the status.
        message: for the caller, in ASCII.
        trailers: trailing metadata.
        headers: initial metadata beside the request id.
        trailers_only: there must be no initial metadata; the request id goes into the trailers.
    """

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, bytes], ...]
    headers: tuple[tuple[str, str], ...] = ()
    trailers_only: bool = False


def answer_to(error: Error, *, transcoded: bool) -> Answer:
    """How to answer.

    Args:
        error: what became of the request.
        transcoded: Envoy will make an HTTP answer of it.
    """
    return _for_envoy(error) if transcoded else _for_native_callers(error)


def _for_native_callers(error: Error) -> Answer:
    code, message, _ = _said(error, max_bytes=_NATIVE_MESSAGE_BYTES)
    details = rich_status(error, code=code.value[0], message=message)
    return Answer(
        code=code,
        message=message,
        trailers=((DETAILS_TRAILER, details),),
        trailers_only=code is grpc.StatusCode.UNAVAILABLE,
    )


def _for_envoy(error: Error) -> Answer:
    code, message, http_status = _said(error, max_bytes=_TRANSCODED_MESSAGE_BYTES)
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, TooLarge):
        code, headers = grpc.StatusCode.OUT_OF_RANGE, (("x-http-status", "413"),)
    elif isinstance(error, Unavailable):
        headers = (("retry-after", str(RETRY_DELAY_S[error.why])),)
    details = error_body(error, code=code.value[0], message=message, http_status=http_status)
    beside = message[:_MESSAGE_BESIDE_DETAILS_BYTES]
    return Answer(code=code, message=beside, trailers=((DETAILS_TRAILER, details),), headers=headers)


def _said(error: Error, *, max_bytes: int) -> tuple[grpc.StatusCode, str, int | None]:
    """Code, message, and the HTTP status that stands in the body."""
    match error:
        case Invalid():
            return grpc.StatusCode.INVALID_ARGUMENT, error.message(max_bytes=max_bytes), 400
        case KeyRefused():
            message = _KEY_MESSAGES[error.refusal].format(key=f'"{error.prefix}..."')
            return grpc.StatusCode.UNAUTHENTICATED, message, None
        case TooLarge():
            return grpc.StatusCode.INVALID_ARGUMENT, too_large_message(error.limit_bytes), 413
        case Unavailable():
            return grpc.StatusCode.UNAVAILABLE, _UNAVAILABLE_MESSAGES[error.why], 503
        case _:
            assert_never(error)
