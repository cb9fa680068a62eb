"""What other rooms may know of the durable log: "append this durably", "next sealed stretch", "mark it done".

Local segments are behind it now; a Kafka topic of the same records can be later.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sluice.contract import Source

__all__ = [
    "Appender",
    "Body",
    "Damage",
    "DamageReason",
    "Entry",
    "LogUnavailable",
    "Sealed",
    "SealedSegments",
    "StoredRecord",
]


class Body(Enum):
    """What the bytes of a body are."""

    JSON = "json"
    WEBHOOK_EVENT = "webhook_event"
    CUSTOM_EXPOSURES = "custom_exposures"
    LOG_EVENT_REQUEST = "log_event_request"
    RECEIVE_WEBHOOK_EVENT_REQUEST = "receive_webhook_event_request"

    @property
    def is_json(self) -> bool:
        """Whether it is text; else it is a protobuf message."""
        return self in {Body.JSON, Body.WEBHOOK_EVENT, Body.CUSTOM_EXPOSURES}

    def as_text(self, body: bytes, *, errors: str = "strict") -> str:
        """A body as text: JSON as it is, a message in base64.

        Args:
            body: the bytes.
            errors: what to do where JSON is no UTF-8, as bytes.decode has it.

        Raises:
            UnicodeDecodeError: it is none, and errors is strict.
        """
        return body.decode(errors=errors) if self.is_json else base64.b64encode(body).decode()

    def from_text(self, text: str) -> bytes:
        """The body that `as_text` gave."""
        return text.encode() if self.is_json else base64.b64decode(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One accepted request on its way to the log, which adds when it was received and by which node.

    Attributes:
        request_id: a UUIDv7, 16 bytes.
        source: the door it came through.
        body: decompressed, without privateAttributes.
        body_format: what those bytes are.
        event_count: events in the body, those set aside included; never 0.
        key_id: the API key's id.
        project: the API key's project.
        client_time_ms: the client's clock, in ms since the epoch; None where it was not told.
        quarantined_indices: events of the body that are no rows of the event table.
        sdk_type: as headers or query say it, else "".
        sdk_version: as headers or query say it, else "".
        session_id: as headers or query say it, else "".
    """

    request_id: bytes
    source: Source
    body: bytes
    body_format: Body
    event_count: int
    key_id: str
    project: str
    client_time_ms: int | None = None
    quarantined_indices: tuple[int, ...] = ()
    sdk_type: str = ""
    sdk_version: str = ""
    session_id: str = ""


class LogUnavailable(SluiceError):
    """The log can't take a record now. The caller may send it again later.

    Nothing of it is in the log; only where the disk refuses even to cut it off may it still turn up, whole, after a
    crash.
    """


class Appender(Protocol):
    """Where ingest hands over what it accepted."""

    def put(self, entry: Entry, done: Callable[[bool], None]) -> None:
        """Hand an entry over, in any thread; `done` is told once whether it is durable, by the thread that knows it.

        Raises:
            LogUnavailable: as `append`; `done` is told nothing.
        """

    async def append(self, entry: Entry) -> None:
        """Return when the entry is durable.

        A caller that is cancelled while it waits cancels nothing: the entry is written all the same.

        Raises:
            LogUnavailable: the disk is full, unwritable, or too much is waiting for it.
        """

    @property
    def healthy(self) -> bool:
        """Whether what was done last succeeded: a commit, a look for room, or a probe write after a failure."""


class DamageReason(Enum):
    """Why a stretch of a segment is no record; the values are metric labels and stand in reports."""

    BROKEN_LENGTH = "broken_length"
    BROKEN_PAYLOAD = "broken_payload"
    NOT_A_RECORD = "not_a_record"
    UNKNOWN_VERSION = "unknown_version"
    REPEATED_REQUEST = "repeated_request"
    MISSING_END = "missing_end"
    UNDECODABLE_BODY = "undecodable_body"
    KILLS_THE_WRITER = "kills_the_writer"
    ID_TAKEN = "id_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A stretch of a segment that is set aside.

    Attributes:
        offset: where it begins, in bytes from the segment's start.
        data: its bytes, unaltered; empty where the end of a segment is missing.
        reason: why.
        detail: more for the operator, without any event's content.
    """

    offset: int
    data: bytes
    reason: DamageReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Sealed:
    """A sealed segment, as its name describes it. Ordered by hour, then by id: oldest first.

    Attributes:
        hour: the receive hour of all its records, `YYYYMMDDTHH` in UTC.
        id: `<hour>-<node>-<uuid7>`; never used twice.
        records: how many whole records it was sealed with.
        size_bytes: how many bytes it was sealed with.
    """

    hour: str
    id: str
    records: int
    size_bytes: int


class StoredRecord(Protocol):
    """What the records of both logs have."""

    @property
    def request_id(self) -> bytes:
        """The request's, 16 bytes."""

    @property
    def received_at_us(self) -> int:
        """When it was handed to the log, in microseconds since the epoch."""

    def SerializeToString(self) -> bytes:  # noqa: N802  as protobuf calls it
        """Its bytes."""


_RecordT_co = TypeVar("_RecordT_co", bound=StoredRecord, covariant=True)


class SealedSegments(Protocol[_RecordT_co]):
    """What the lake reads from, and marks as done. One process at a time has it."""

    def waiting(self) -> list[Sealed]:
        """All sealed segments, oldest first."""

    def read(self, segment: Sealed) -> Iterator[tuple[int, _RecordT_co] | Damage]:
        """Go through a segment in its order: each whole record with its offset, and each damaged stretch.

        Never raises for what is in the file; OSError where the file can't be read.
        """

    def set_aside(self, segment: Sealed, damages: Sequence[Damage]) -> None:
        """Keep damaged stretches with a report below log/damaged/, durably, before the segment goes. Idempotent."""

    def set_aside_whole(self, segment: Sealed, reason: DamageReason, detail: str) -> None:
        """Move a segment to log/damaged/ as it is, with a report."""

    def done(self, segments: Sequence[Sealed]) -> None:
        """Let go of segments whose records are durable in the lake: removed, or archived by setting."""
