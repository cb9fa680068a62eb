"""A request of a known key, and what becomes of it in a log: an entry of what is accepted, refused or set aside."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from sluice.ingest.refused_body import Refused, errors_text
from sluice.log.ports import Entry
from sluice.log.refused import RefusedEntry, RejectReason

if TYPE_CHECKING:
    from sluice.contract import Source
    from sluice.ingest.caller import Caller
    from sluice.ingest.outcome import TooLarge
    from sluice.ingest.quarantine import Parted
    from sluice.ingest.violations import Invalid
    from sluice.keys.key import Key
    from sluice.log.ports import Body

__all__ = ["KnownRequest"]


class KnownRequest(Struct, frozen=True, kw_only=True, gc=False):
    """A request whose key opens its door.

    Attributes:
        id: 16 bytes.
        source: the door.
        body_format: what the door takes.
        key: its key.
        caller: who sent it.
        client_time_ms: the client's clock; None: it wasn't told, or not so that it could be read, or not before the
            body.
    """

    id: bytes
    source: Source
    body_format: Body
    key: Key
    caller: Caller
    client_time_ms: int | None

    def accepted(
        self, body: bytes, *, event_count: int, body_format: Body | None = None, set_aside: tuple[int, ...] = ()
    ) -> Entry:
        """The request as it is accepted.

        Args:
            body: what of it is kept.
            event_count: events in the body.
            body_format: what the body is, where that isn't what the door takes.
            set_aside: those of its events that are set aside.
        """
        return Entry(
            request_id=self.id,
            source=self.source,
            body=body,
            body_format=body_format or self.body_format,
            event_count=event_count,
            key_id=self.key.id,
            project=self.key.project,
            client_time_ms=self.client_time_ms,
            quarantined_indices=set_aside,
            sdk_type=self.caller.sdk_type,
            sdk_version=self.caller.sdk_version,
            session_id=self.caller.session_id,
        )

    def set_aside(self, parts: Parted) -> RefusedEntry:
        """Those of its events that are set aside."""
        return RefusedEntry(
            request_id=self.id,
            source=self.source,
            reason=RejectReason.QUARANTINED,
            errors=errors_text(parts.violations),
            body=parts.set_aside,
            body_format=self.body_format,
            body_bytes=len(parts.set_aside),
            body_sha256=sha256(parts.set_aside).digest(),
            key_id=self.key.id,
            project=self.key.project,
            event_count=parts.found.event_count,
            invalid_event_count=len(parts.indices),
            client_time_ms=self.client_time_ms,
            sdk_type=self.caller.sdk_type,
            sdk_version=self.caller.sdk_version,
            session_id=self.caller.session_id,
        )

    def refused(
        self, error: Invalid | TooLarge, *, sent: bytes | Invalid, plain: bytes | Invalid | TooLarge
    ) -> Refused:
        """The request as it is refused.

        Args:
            error: why.
            sent: its body as it came; or why there is none.
            plain: its body unpacked; or why it isn't.
        """
        body = plain if isinstance(plain, bytes) else sent
        return Refused(
            request_id=self.id,
            source=self.source,
            key=self.key,
            caller=self.caller,
            client_time_ms=self.client_time_ms,
            error=error,
            body=body if isinstance(body, bytes) else b"",
            body_format=self.body_format,
            may_be_kept=isinstance(plain, bytes),
        )
