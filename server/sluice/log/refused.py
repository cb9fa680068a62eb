"""The log of refused requests: what its records say, how they become bytes and back, and who writes and reads them.

It lies in `log/refused/` and is a log like the other: the same frames, names, locks, sealing and recovery. A record
begins and ends as a LogRecord does; where its body may not be kept it has none.

Source: proto/sluice/storage/v1/refused_record.proto
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from sluice.framing import FIRST_BYTES
from sluice.log.appender import Appending
from sluice.log.metrics import REFUSED
from sluice.log.ports import DamageReason
from sluice.log.reader import SegmentsOf
from sluice.log.record import BODY_TAG, FORMAT_VERSION, known_body, known_source, length, why_no_record
from sluice.log.segment import LOG_FOLDER, REFUSED_FOLDER
from sluice.storage.v1 import refused_record_pb2 as pb

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.contract import Source
    from sluice.log.ports import Body

__all__ = [
    "KEEPS_FREE_TIMES",
    "RefusedAppender",
    "RefusedEntry",
    "RefusedSegments",
    "RejectReason",
    "decode_refused",
    "encode_refused",
    "refused_log",
]

# What is refused leaves the last of the disk to what is accepted: it keeps so many times as much free.
KEEPS_FREE_TIMES = 2

_REQUEST_ID_BYTES = 16
# Of a record without errors and body, about.
_HEAD_BYTES = 256


class RejectReason(Enum):
    """Why a request, or some of its events, is in this log; the values are those of the lake's column `reason`.

    But for the last they are the reasons that callers are told.
    """

    INVALID_EVENTS = "INVALID_EVENTS"
    INVALID_REQUEST = "INVALID_REQUEST"
    TOO_LARGE = "TOO_LARGE"
    QUARANTINED = "QUARANTINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEntry:
    """One refused request on its way to the log, which adds when it was received and by which node.

    Attributes:
        request_id: a UUIDv7, 16 bytes.
        source: the door it came through.
        reason: why it was refused.
        errors: a JSON array of what is wrong, without any event's content.
        body: without privateAttributes; None where it may not be kept.
        body_format: what the body is.
        body_bytes: of the body as it is kept; where it isn't, as it came.
        body_sha256: of the same bytes, 32 bytes.
        fault_offset: where the body stops being what it should be, in bytes; None: it parses, or nobody looked.
        key_id: the API key's id.
        project: the API key's project.
        event_count: events in the request; 0 where they can't be counted.
        invalid_event_count: those of them that are invalid.
        client_time_ms: the client's clock, in ms since the epoch; None where it was not told.
        sdk_type: as headers or query say it, else "".
        sdk_version: as headers or query say it, else "".
        session_id: as headers or query say it, else "".
    """

    request_id: bytes
    source: Source
    reason: RejectReason
    errors: str
    body: bytes | None
    body_format: Body
    body_bytes: int
    body_sha256: bytes
    key_id: str
    project: str
    fault_offset: int | None = None
    event_count: int = 0
    invalid_event_count: int = 0
    client_time_ms: int | None = None
    sdk_type: str = ""
    sdk_version: str = ""
    session_id: str = ""

    @property
    def size_bytes(self) -> int:
        """About how many bytes it takes on disk."""
        return _HEAD_BYTES + len(self.errors) + len(self.body or b"")


def refused_log(data_dir: Path) -> Path:
    """The folder of the log of refused requests."""
    return data_dir / LOG_FOLDER / REFUSED_FOLDER


def encode_refused(entry: RefusedEntry, *, received_at_us: int, node: str) -> tuple[bytes, ...]:
    """The bytes of an entry's record, in parts: the body is not copied.

    Raises:
        ValueError: the entry's request id doesn't have 16 bytes.
    """
    if len(entry.request_id) != _REQUEST_ID_BYTES:
        raise ValueError(f"request_id has {len(entry.request_id)} bytes, expected {_REQUEST_ID_BYTES}")
    head = pb.RefusedRecord(
        request_id=entry.request_id,
        format_version=FORMAT_VERSION,
        received_at_us=received_at_us,
        client_time_ms=entry.client_time_ms,
        key_id=entry.key_id,
        project=entry.project,
        source=known_source(entry.source),
        node=node,
        reason=entry.reason.value,
        sdk_type=entry.sdk_type,
        sdk_version=entry.sdk_version,
        session_id=entry.session_id,
        errors=entry.errors,
        body_format=known_body(entry.body_format),
        body_bytes=entry.body_bytes,
        body_sha256=entry.body_sha256,
        fault_offset=entry.fault_offset,
        event_count=entry.event_count,
        invalid_event_count=entry.invalid_event_count,
    ).SerializeToString()
    if entry.body is None:
        return (head,)
    return head + BODY_TAG + length(entry.body), entry.body


def decode_refused(payload: bytes) -> pb.RefusedRecord | DamageReason:
    """The record that a frame holds, or why it is none that this version reads."""
    if not payload.startswith(FIRST_BYTES):
        return DamageReason.NOT_A_RECORD
    try:
        record = pb.RefusedRecord.FromString(payload)
    except DecodeError:
        return DamageReason.NOT_A_RECORD
    return record if (reason := why_no_record(record)) is None else reason


class RefusedAppender(Appending[RefusedEntry]):
    """Appends refused requests; what can't be kept is nobody's answer but that of events to be set aside."""

    _figures = REFUSED
    _encode = staticmethod(encode_refused)

    @staticmethod
    def _size_of(entry: RefusedEntry) -> int:
        return entry.size_bytes


class RefusedSegments(SegmentsOf[pb.RefusedRecord]):
    """The segments of refused requests; see `sluice.log.ports.SealedSegments`.

    Args:
        data_dir: the data folder.
        archive: whether segments that are done with are kept below log/refused/archive/.
    """

    def __init__(self, data_dir: Path, *, archive: bool = False) -> None:
        super().__init__(refused_log(data_dir), decode_refused, archive=archive)
