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
from sluice.lake.exposures import CONFIG_EXPOSURE, GATE_EXPOSURE
from sluice.storage.v1 import log_record_pb2 as storage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sluice.storage.v1.log_record_pb2 import LogRecord

__all__ = ["choose", "event_names"]


class _Event(msgspec.Struct, gc=False, rename={"name": "eventName"}):
    name: str


class _Body(msgspec.Struct, gc=False):
    # What was set aside left a null.
    events: list[_Event | None]


class _WebhookEvent(msgspec.Struct, gc=False, rename={"name": "event"}):
    name: str


class _Exposure(msgspec.Struct, gc=False, rename={"gate_name": "gateName"}):
    gate_name: str | None = None

    @property
    def name(self) -> str:
        return GATE_EXPOSURE if self.gate_name is not None else CONFIG_EXPOSURE


class _Exposures(msgspec.Struct, gc=False):
    exposures: list[_Exposure | None]


_BODY = msgspec.json.Decoder(_Body)
_WEBHOOK_EVENT = msgspec.json.Decoder(_WebhookEvent)
_EXPOSURES = msgspec.json.Decoder(_Exposures)


_NAMES_IN: dict[int, Callable[[bytes], list[str]]] = {
    storage.BODY_FORMAT_JSON: lambda body: ["" if event is None else event.name for event in _BODY.decode(body).events],
    storage.BODY_FORMAT_WEBHOOK_EVENT: lambda body: [_WEBHOOK_EVENT.decode(body).name],
    storage.BODY_FORMAT_CUSTOM_EXPOSURES: lambda body: [
        "" if each is None else each.name for each in _EXPOSURES.decode(body).exposures
    ],
    storage.BODY_FORMAT_LOG_EVENT_REQUEST: lambda body: [
        event.event_name for event in api.LogEventRequest.FromString(body).events
    ],
    storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST: lambda body: [
        event.event_name for event in api.ReceiveWebhookEventRequest.FromString(body).events
    ],
}


def event_names(record: LogRecord) -> Sequence[str] | None:
    """The names of a record's events, in their order; None where the body can't be read."""
    names_in = _NAMES_IN.get(record.body_format)
    try:
        return None if names_in is None else names_in(record.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, DecodeError):
        return None


def choose(record: LogRecord, indices: Collection[int]) -> None:
    """Let only these events of a record become rows, less those that were set aside: `decode` leaves out the others."""
    chosen = frozenset(indices).difference(record.quarantined_indices)
    del record.quarantined_indices[:]
    record.quarantined_indices.extend(index for index in range(record.event_count) if index not in chosen)
