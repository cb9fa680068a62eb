"""An error outcome in the words of gRPC, and through Envoy's transcoder in those of HTTP.

    outcome       gRPC code          HTTP, by Envoy
    Invalid       INVALID_ARGUMENT   400 {"message","status":400}
    KeyRefused    UNAUTHENTICATED    401 {"message"}
    TooLarge      OUT_OF_RANGE       413 {"message","status":413}, by `x-http-status`: no gRPC code leads to 413
    Unavailable   UNAVAILABLE        503 {"message","status":503}

UNAVAILABLE, not RESOURCE_EXHAUSTED: Envoy makes 429 of the latter, and on 429 four of five SDKs lose the batch.

The trailer `grpc-status-details-bin` is a google.rpc.Status with the HTTP status in field 15 besides: Envoy's
descriptor set prints it as the body, other gRPC clients skip it. 401 has no status in its body, so none here.

Trailers are limited: a gRPC client takes 8 KiB unless it says otherwise, Envoy 60 KiB. So a native caller's message is
cut to 6,000 bytes, and has details beside it only while both fit; one for Envoy is cut to 16 KiB, and stands whole in
the details.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

import grpc
from google.protobuf.wrappers_pb2 import UInt32Value
from google.rpc import status_pb2

from sluice.ingest.outcome import KeyRefused, TooLarge, Unavailable, Why
from sluice.ingest.violations import Invalid
from sluice.keys.key import Refusal

__all__ = ["Answer", "Error", "answer_to"]

Error: TypeAlias = Invalid | KeyRefused | TooLarge | Unavailable

_DETAILS = "grpc-status-details-bin"
_NATIVE_MESSAGE_BYTES = 6_000
_TRANSCODED_MESSAGE_BYTES = 16 * 1024
# A message of this size, the same again within details in base64, and other trailers stay below 8 KiB.
_MESSAGE_BESIDE_DETAILS_BYTES = 2_500
# Tag of field 15 as a varint: 15 << 3. https://protobuf.dev/programming-guides/encoding/
_HTTP_STATUS_TAG = b"\x78"

_KEY_MESSAGES = {
    Refusal.MISSING: "no API key: send the header statsig-api-key",
    Refusal.UNKNOWN: "API key {key} is not known here; to keep a Statsig key, import it: sluice keys import",
    Refusal.REVOKED: "API key {key} is revoked",
    Refusal.EXPIRED: "API key {key} has expired",
    Refusal.NOT_FOR_THIS_DOOR: "API key {key} is not for this endpoint",
    Refusal.SERVER_SECRET_IN_QUERY: (
        "server secret {key} in the query: send the header statsig-api-key, and replace it, as addresses are logged"
    ),
}
_UNAVAILABLE_MESSAGES = {
    Why.OVERLOADED: "too many requests at once; send the batch again later",
    Why.LOG_UNAVAILABLE: "the log can't take events now; send the batch again later",
    Why.STOPPING: "this server is stopping; send the batch again",
    Why.FAULT: "a fault of this server; send the batch again later",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An error as gRPC sends it.

    Attributes:
        code: the status.
        message: for the caller, in ASCII.
        trailers: trailing metadata.
        headers: initial metadata beside the request id.
    """

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, bytes], ...]
    headers: tuple[tuple[str, str], ...] = ()


def answer_to(error: Error, *, transcoded: bool) -> Answer:
    """How to answer.

    Args:
        error: what became of the request.
        transcoded: Envoy will make an HTTP answer of it.
    """
    most = _TRANSCODED_MESSAGE_BYTES if transcoded else _NATIVE_MESSAGE_BYTES
    match error:
        case Invalid():
            return _answer(grpc.StatusCode.INVALID_ARGUMENT, error.message(max_bytes=most), 400, transcoded=transcoded)
        case KeyRefused():
            message = _KEY_MESSAGES[error.refusal].format(key=f'"{error.prefix}..."')
            return _answer(grpc.StatusCode.UNAUTHENTICATED, message, None, transcoded=transcoded)
        case TooLarge():
            message = f"request body is larger than {error.limit_bytes} bytes; send fewer events per request"
            answer = _answer(grpc.StatusCode.OUT_OF_RANGE, message, 413, transcoded=transcoded)
            return replace(answer, headers=(("x-http-status", "413"),))
        case Unavailable():
            return _answer(grpc.StatusCode.UNAVAILABLE, _UNAVAILABLE_MESSAGES[error.why], 503, transcoded=transcoded)
        case _:
            assert_never(error)


def _answer(code: grpc.StatusCode, message: str, http_status: int | None, *, transcoded: bool) -> Answer:
    fits = len(message) <= _MESSAGE_BESIDE_DETAILS_BYTES
    if not fits and not transcoded:
        return Answer(code=code, message=message, trailers=())
    details: bytes = status_pb2.Status(code=code.value[0], message=message).SerializeToString()
    if http_status is not None:
        # UInt32Value holds its varint behind a tag of one byte.
        details += _HTTP_STATUS_TAG + UInt32Value(value=http_status).SerializeToString()[1:]
    beside = message if fits else message[:_MESSAGE_BESIDE_DETAILS_BYTES]
    return Answer(code=code, message=beside, trailers=((_DETAILS, details),))
