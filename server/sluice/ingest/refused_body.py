"""What is kept of a request that was refused: its body where it parses, without privateAttributes; else its hash.

Who knows what stands in a body that doesn't parse? privateAttributes can't be found there, so nothing of it is stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.malformed import first_fault
from sluice.ingest.outcome import TooLarge, reason_of
from sluice.ingest.private import without_private_anywhere
from sluice.ingest.violations import Invalid
from sluice.log.ports import Body
from sluice.log.refused import RefusedEntry, RejectReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.contract import Source
    from sluice.ingest.caller import Caller
    from sluice.ingest.violations import Violation
    from sluice.keys.key import Key

__all__ = ["MAX_ERRORS", "Refused", "entry_of", "errors_text"]

# Of a request, which may break the contract in a million places.
MAX_ERRORS = 1000

_MESSAGES: dict[Body, type[pb.LogEventRequest | pb.ReceiveWebhookEventRequest]] = {
    Body.LOG_EVENT_REQUEST: pb.LogEventRequest,
    Body.RECEIVE_WEBHOOK_EVENT_REQUEST: pb.ReceiveWebhookEventRequest,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that was refused.

    Attributes:
        request_id: 16 bytes.
        source: the door.
        key: its key, which opens the door.
        caller: who sent it.
        client_time_ms: the client's clock; None: it wasn't told, or not so that it could be read.
        error: what it was answered.
        body: as far as it could be unpacked; else as it came.
        body_format: what the door takes.
        may_be_kept: it is neither too large nor packed, so that it may be kept if it parses.
    """

    request_id: bytes
    source: Source
    key: Key
    caller: Caller
    client_time_ms: int | None
    error: Invalid | TooLarge
    body: bytes
    body_format: Body
    may_be_kept: bool


def entry_of(refused: Refused) -> RefusedEntry:
    """What of it goes to the log. A body of 10 MiB may take a second."""
    kept, fault_offset = _what_parses(refused.body, refused.body_format) if refused.may_be_kept else (None, None)
    hashed = refused.body if kept is None else kept
    error, caller = refused.error, refused.caller
    return RefusedEntry(
        request_id=refused.request_id,
        source=refused.source,
        reason=RejectReason(reason_of(error).value),
        errors=_errors_of(error),
        body=kept,
        body_format=refused.body_format,
        body_bytes=len(hashed),
        body_sha256=sha256(hashed).digest(),
        fault_offset=fault_offset,
        key_id=refused.key.id,
        project=refused.key.project,
        event_count=error.events if isinstance(error, Invalid) else 0,
        invalid_event_count=error.invalid_events if isinstance(error, Invalid) else 0,
        client_time_ms=refused.client_time_ms,
        sdk_type=caller.sdk_type,
        sdk_version=caller.sdk_version,
        session_id=caller.session_id,
    )


def errors_text(violations: Iterable[Violation]) -> str:
    """The first 1,000 violations as a JSON array; they hold no event's content."""
    named = [
        {"path": violation.path, "expected": violation.expected, "found": violation.found}
        for violation, _ in zip(violations, range(MAX_ERRORS), strict=False)
    ]
    return json.dumps(named, separators=(",", ":"))


def _errors_of(error: Invalid | TooLarge) -> str:
    if isinstance(error, Invalid):
        return errors_text(error.violations)
    return json.dumps([{"path": "body", "expected": f"at most {error.limit_bytes} bytes", "found": "more"}])


def _what_parses(body: bytes, body_format: Body) -> tuple[bytes | None, int | None]:
    """What of a body may be kept, and where it stops being what it should be."""
    message = _MESSAGES.get(body_format)
    if message is None:
        fault = first_fault(body)
        return (None, fault) if fault is not None else (without_private_anywhere(body), None)
    try:
        message.FromString(body)
    except DecodeError:
        return None, None  # protobuf doesn't say where
    return body, None
