"""The body of an error over HTTP: what Envoy's transcoder prints as JSON.

    {"message": …, "status": 400, "errors": [{"path": …, "expected": …, "found": …}, …],
     "invalidEvents": 2, "events": 500, "errorsNotShown": 7}

It travels as an ordinary google.rpc.Status with further fields, which Envoy's own descriptor set names
(envoy/descriptor/google/rpc/status.proto) and other gRPC clients skip. They are read from that set, so that both sides
go by one description. 401 has no status in its body, as in the contract; what is 0 or empty is not printed.

Envoy takes 60 KiB of headers and trailers. So when there is too much, errors are left out, the last ones first, and the
body says how many.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2

from sluice.ingest.violations import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.ingest.outcome import Error
    from sluice.ingest.violations import Violation

__all__ = ["error_body"]

# Binary trailers travel as base64, a third more: 52 KiB. The rest is for what stands beside the details.
_DETAILS_BYTES = 39 * 1024
# The counts and the status; and each error's own frame.
_AROUND_ERRORS_BYTES = 64
_AROUND_AN_ERROR_BYTES = 4


def error_body(error: Error, *, code: int, message: str, http_status: int | None) -> bytes:
    """The google.rpc.Status of an error as Envoy prints it, as bytes.

    Args:
        error: what became of the request.
        code: of google.rpc.Code.
        message: for the caller, whole.
        http_status: what stands in the body; None: nothing does.
    """
    status: bytes = status_pb2.Status(code=code, message=message).SerializeToString()
    body = _body_class()(status=http_status or 0)
    if isinstance(error, Invalid):
        _add_errors(body, error.violations, _DETAILS_BYTES - len(status) - _AROUND_ERRORS_BYTES)
        body.invalid_events, body.events = error.invalid_events, error.events
        body.errors_not_shown = len(error.violations) - len(body.errors)
    further: bytes = body.SerializeToString()
    # Messages of one type that stand one behind the other are merged by whoever reads them.
    return status + further


def _add_errors(body: Any, violations: Sequence[Violation], room: int) -> None:
    error_class = _body_class().Error
    for violation in violations:
        error = error_class(path=violation.path, expected=violation.expected, found=violation.found)
        room -= error.ByteSize() + _AROUND_AN_ERROR_BYTES
        if room < 0:
            break
        body.errors.append(error)


@cache
def _body_class() -> Any:
    """Envoy's google.rpc.Status, in a pool of its own: the ordinary one has the same name."""
    described = FileDescriptorSet.FromString(files("sluice.events.v1").joinpath("transcoder.binpb").read_bytes())
    pool = DescriptorPool()
    pool.Add(next(file for file in described.file if file.name == "google/rpc/status.proto"))
    return GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))
