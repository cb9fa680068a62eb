"""What Envoy itself answers native gRPC callers with, where no worker did: text, status and details, all fixed.

Envoy's local replies can carry headers of fixed values, so their details are made when the configuration is rendered.
Which error has which cause, the template says.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.rpc import code_pb2

from sluice.error_details import (
    DETAILS_TRAILER,
    NO_SUCH_METHOD,
    PERHAPS_STORED,
    Reason,
    status_with_details,
    too_large_message,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.edge.config import EdgeConfig

__all__ = ["NativeError", "native_errors", "template_values"]

_RETRY_DELAY_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeError:
    """One error.

    Attributes:
        reason: of ErrorInfo.
        code: of google.rpc.Code.
        message: for the caller.
        facts: of ErrorInfo.
        retry_delay_s: of RetryInfo; None: there is none.
    """

    reason: Reason
    code: int
    message: str
    facts: Mapping[str, object] = field(default_factory=dict)
    retry_delay_s: int | None = None


def native_errors(config: EdgeConfig) -> dict[str, NativeError]:
    """All of them, by what the template calls them."""
    return {
        "too_large": NativeError(
            reason=Reason.TOO_LARGE,
            code=code_pb2.INVALID_ARGUMENT,
            message=too_large_message(config.max_body_bytes),
            facts={"max_bytes": config.max_body_bytes},
        ),
        "wrong_deadline": NativeError(
            reason=Reason.INVALID_REQUEST,
            code=code_pb2.INVALID_ARGUMENT,
            message=(
                "grpc-timeout: expected up to 8 digits and a unit, as in 10S, got another text; leave it to the gRPC "
                "library"
            ),
        ),
        "unsupported_encoding": NativeError(
            reason=Reason.UNSUPPORTED_ENCODING,
            code=code_pb2.UNIMPLEMENTED,
            message=(
                "content-type or grpc-encoding: expected protobuf that is not compressed, got another encoding; send "
                "application/grpc or application/grpc-web, and no compression"
            ),
        ),
        # INTERNAL: grpc/doc/compression.md, "Test cases", 6.
        "compressed_flag": NativeError(
            reason=Reason.UNSUPPORTED_ENCODING,
            code=code_pb2.INTERNAL,
            message=(
                "body: expected a message that is not compressed, got one flagged as compressed without grpc-encoding; "
                "send messages uncompressed"
            ),
        ),
        "broken_frame": NativeError(
            reason=Reason.INVALID_REQUEST,
            code=code_pb2.INVALID_ARGUMENT,
            message="body: expected one message behind a flag of 0 and its length in 4 bytes, got something else; "
            "call with a gRPC library",
        ),
        "method_not_found": NativeError(
            reason=Reason.METHOD_NOT_FOUND,
            code=code_pb2.UNIMPLEMENTED,
            message=NO_SUCH_METHOD,
        ),
        "reflection_off": NativeError(
            reason=Reason.REFLECTION_OFF,
            code=code_pb2.UNIMPLEMENTED,
            message=(
                "method: expected one of sluice.events.v1.EventsService, got reflection, which is off here; use the "
                ".proto files, or ask the operator for the setting reflection"
            ),
        ),
        "no_worker": NativeError(
            reason=Reason.NO_WORKER,
            code=code_pb2.UNAVAILABLE,
            message="the service can't take the request now; send it again later",
            retry_delay_s=_RETRY_DELAY_S,
        ),
        "worker_lost": NativeError(
            reason=Reason.WORKER_LOST,
            code=code_pb2.UNAVAILABLE,
            message=f"the service broke off before it answered; {PERHAPS_STORED}",
            retry_delay_s=_RETRY_DELAY_S,
        ),
        "no_answer": NativeError(
            reason=Reason.NO_ANSWER,
            code=code_pb2.DEADLINE_EXCEEDED,
            message=f"no worker answered within {config.answer_timeout_s} s; {PERHAPS_STORED}",
        ),
    }


def template_values(config: EdgeConfig) -> dict[str, str]:
    """For each error its text, `<name>_message`, and two headers of a local reply, `<name>_status`, `…_details`.

    And `retry_after`, which tells callers over HTTP what RetryInfo tells those over gRPC.
    """
    values = {"retry_after": _header("retry-after", str(_RETRY_DELAY_S))}
    for name, error in native_errors(config).items():
        values[f"{name}_message"] = error.message
        values[f"{name}_status"] = _header("grpc-status", str(error.code))
        values[f"{name}_details"] = _header(DETAILS_TRAILER, _details(error))
    return values


def _header(name: str, value: str) -> str:
    return json.dumps({"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})


def _details(error: NativeError) -> str:
    status = status_with_details(
        error.code, error.message, error.reason, error.facts, retry_delay_s=error.retry_delay_s
    )
    # Without padding, as gRPC asks of those who send. Source: gRPC over HTTP/2, "Binary-Header".
    return base64.b64encode(status.SerializeToString(deterministic=True)).decode().rstrip("=")
