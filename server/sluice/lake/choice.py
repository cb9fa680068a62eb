"""Rows of some events of records: the names of all, at little cost, and the rows of those that were chosen.

For whoever shows a few events of many. What isn't chosen isn't made into rows; the rows themselves are those of
decode.py. One thing differs: what a request says of itself, and would take more than 16 MiB on all its rows, may stand
on more of the chosen ones than in the lake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from google.protobuf.message import DecodeError

from sluice.events.v1 import events_pb2 as api
from sluice.storage.v1 import log_record_pb2 as storage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sluice.storage.v1.log_record_pb2 import LogRecord

__all__ = ["choose", "event_names"]


class _Event(msgspec.Struct, gc=False, rename={"name": "eventName"}):
    name: str


class _Body(msgspec.Struct, gc=False):
    # What was set aside left a null.
    events: list[_Event | None]


_BODY = msgspec.json.Decoder(_Body)


def event_names(record: LogRecord) -> Sequence[str] | None:
    """The names of a record's events, in their order; None where the body can't be read."""
    try:
        match record.body_format:
            case storage.BODY_FORMAT_JSON:
                return ["" if event is None else event.name for event in _BODY.decode(record.body).events]
            case storage.BODY_FORMAT_LOG_EVENT_REQUEST:
                return [event.event_name for event in api.LogEventRequest.FromString(record.body).events]
            case storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST:
                return [event.event_name for event in api.ReceiveWebhookEventRequest.FromString(record.body).events]
            case _:
                return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, DecodeError):
        return None


def choose(record: LogRecord, indices: Collection[int]) -> None:
    """Let only these events of a record become rows, less those that were set aside: `decode` leaves out the others."""
    chosen = frozenset(indices).difference(record.quarantined_indices)
    del record.quarantined_indices[:]
    record.quarantined_indices.extend(index for index in range(record.event_count) if index not in chosen)
