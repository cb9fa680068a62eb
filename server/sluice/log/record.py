"""What a frame holds: an accepted request as a LogRecord, version 1, and back.

A record begins with the bytes `0a 10` (field 1, 16 bytes), so that framing.py finds it behind a broken length, and
ends with the body (field 15), so that the body is never copied on its way to the disk.

Source: proto/sluice/storage/v1/log_record.proto
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from sluice.contract import Source
from sluice.framing import FIRST_BYTES
from sluice.log.ports import Body, DamageReason
from sluice.storage.v1 import log_record_pb2 as pb
from sluice.storage.v1 import refused_record_pb2 as rpb

if TYPE_CHECKING:
    from sluice.log.ports import Entry
    from sluice.log.record_in_place import StoredRequest

__all__ = [
    "BODY_TAG",
    "FORMAT_VERSION",
    "body_format_of",
    "decode",
    "encode",
    "known_body",
    "known_source",
    "length",
    "source_of",
    "why_no_record",
]

FORMAT_VERSION = 1

_REQUEST_ID_BYTES = 16
# Field 15, length-delimited, in both kinds of records.
BODY_TAG = b"\x7a"

_SOURCES = {
    Source.SDK: pb.SOURCE_SDK,
    Source.WEBHOOK: pb.SOURCE_WEBHOOK,
    Source.GRPC: pb.SOURCE_GRPC,
}
_BODY_FORMATS = {
    Body.JSON: pb.BODY_FORMAT_JSON,
    Body.WEBHOOK_EVENT: pb.BODY_FORMAT_WEBHOOK_EVENT,
    Body.CUSTOM_EXPOSURES: pb.BODY_FORMAT_CUSTOM_EXPOSURES,
    Body.LOG_EVENT_REQUEST: pb.BODY_FORMAT_LOG_EVENT_REQUEST,
    Body.RECEIVE_WEBHOOK_EVENT_REQUEST: pb.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST,
}
_SOURCES_BACK = {value: source for source, value in _SOURCES.items()}
_BODY_FORMATS_BACK = {value: body for body, value in _BODY_FORMATS.items()}


def encode(entry: Entry, *, received_at_us: int, node: str) -> tuple[bytes, bytes]:
    """The bytes of an entry's record: the fields before the body, and the body itself, which is not copied.

    Raises:
        ValueError: the entry's request id doesn't have 16 bytes.
    """
    if len(entry.request_id) != _REQUEST_ID_BYTES:
        raise ValueError(f"request_id has {len(entry.request_id)} bytes, expected {_REQUEST_ID_BYTES}")
    head = pb.LogRecord(
        request_id=entry.request_id,
        format_version=FORMAT_VERSION,
        received_at_us=received_at_us,
        client_time_ms=entry.client_time_ms,
        key_id=entry.key_id,
        project=entry.project,
        source=_SOURCES[entry.source],
        node=node,
        quarantined_indices=entry.quarantined_indices,
        sdk_type=entry.sdk_type,
        sdk_version=entry.sdk_version,
        session_id=entry.session_id,
        event_count=entry.event_count,
        body_format=_BODY_FORMATS[entry.body_format],
    ).SerializeToString()
    return head + BODY_TAG + length(entry.body), entry.body


def decode(payload: bytes) -> pb.LogRecord | DamageReason:
    """The record that a frame holds, or why it is none that this version reads."""
    if not payload.startswith(FIRST_BYTES):
        return DamageReason.NOT_A_RECORD
    try:
        record = pb.LogRecord.FromString(payload)
    except DecodeError:
        return DamageReason.NOT_A_RECORD
    return record if (reason := why_no_record(record)) is None else reason


def why_no_record(record: pb.LogRecord | rpb.RefusedRecord) -> DamageReason | None:
    """Why a message is no record that this version reads; None: it is one."""
    if len(record.request_id) != _REQUEST_ID_BYTES:
        return DamageReason.NOT_A_RECORD
    return None if _is_of_this_version(record) else DamageReason.UNKNOWN_VERSION


def known_source(source: Source) -> pb.Source.ValueType:
    """A door, as records say it."""
    return _SOURCES[source]


def known_body(body: Body) -> pb.BodyFormat.ValueType:
    """What a body is, as records say it."""
    return _BODY_FORMATS[body]


def _is_of_this_version(record: pb.LogRecord | rpb.RefusedRecord) -> bool:
    """Whether a record holds nothing but what version 1 has; other values were added by a later writer."""
    return (
        record.format_version == FORMAT_VERSION
        and record.source in _SOURCES_BACK
        and record.body_format in _BODY_FORMATS_BACK
    )


def source_of(record: StoredRequest | rpb.RefusedRecord) -> Source:
    """The door that a record's request came through. Of a record that `decode` returned."""
    return _SOURCES_BACK[record.source]


def body_format_of(record: pb.LogRecord | rpb.RefusedRecord) -> Body:
    """What a record's body is. Of a record that `decode` returned."""
    return _BODY_FORMATS_BACK[record.body_format]


def length(body: bytes) -> bytes:
    """A body's length, as it stands before the body: a varint."""
    value = len(body)
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
