"""What a file of the spool holds: frames of SpoolRecords, and back. Pure: no files.

A file is the events of one batch, a frame for each call that logged some. After a refusal it is those of the batches
that took its place. The records say which batch they are of.

    found at the end          what it is                                  what is done
    a frame cut short         a call that had not returned, or one        the whole frames are sent; told as a WARNING
                              after the last sync, when the power failed
    found before whole frames
    a frame that fails        damage                                      the others are sent, the file is kept; told as
                                                                          an ERROR
    an unknown version        a later client's                            nothing is sent, the file is kept; told

Source: proto/sluice/storage/v1/spool_record.proto
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from sluice.framing import FIRST_BYTES, Frame, Stretch, frame_buffers, scan
from sluice.storage.v1 import spool_record_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FORMAT_VERSION", "Found", "UnknownVersion", "frame_of", "parse"]

FORMAT_VERSION = 1

_KEY_BYTES = 16


class UnknownVersion(Exception):
    """The file holds a record of a version that this client does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file holds.

    Attributes:
        batches: the events of each batch, by its key, in the order of the file.
        torn_bytes: at its end, that are no whole frame.
        damaged_bytes: before that, that are none, or hold no record.
    """

    batches: Mapping[bytes, list[bytes]]
    torn_bytes: int
    damaged_bytes: int


def frame_of(key: bytes, encoded: Sequence[bytes]) -> tuple[bytes, ...]:
    """The frame of events that were logged together, as buffers to be written one behind the other."""
    record = pb.SpoolRecord(idempotency_key=key, format_version=FORMAT_VERSION, events=encoded)
    return frame_buffers(record.SerializeToString())


def parse(content: bytes) -> Found:
    """The batches that a file holds.

    Raises:
        UnknownVersion: a later client wrote it.
    """
    batches: dict[bytes, list[bytes]] = {}
    torn = damaged = 0
    for part in scan(content):
        record = _record(part.payload) if isinstance(part, Frame) else None
        if record is not None:
            batches.setdefault(record.idempotency_key, []).extend(record.events)
        elif isinstance(part, Stretch) and part.end == len(content):
            torn = part.end - part.offset
        else:
            damaged += part.end - part.offset
    return Found(batches=batches, torn_bytes=torn, damaged_bytes=damaged)


def _record(payload: bytes) -> pb.SpoolRecord | None:
    if not payload.startswith(FIRST_BYTES):
        return None
    try:
        record = pb.SpoolRecord.FromString(payload)
    except DecodeError:
        return None
    if record.format_version > FORMAT_VERSION:
        raise UnknownVersion
    return record if len(record.idempotency_key) == _KEY_BYTES else None
