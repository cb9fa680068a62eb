"""The door for protobuf: EventsService, for native gRPC and gRPC-Web callers, and for Envoy's typed transcoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sluice.contract import Source
from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2
from sluice.ingest.call import Answers, Way
from sluice.ingest.door import Door
from sluice.ingest.validate_proto import (
    LOG_EVENT_REQUEST,
    LOG_EVENT_REQUEST_OF_JSON,
    RECEIVE_WEBHOOK_EVENT_REQUEST,
)
from sluice.ingest.violations import MISSING, Invalid, invalid_request
from sluice.log.ports import Body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.ingest.call_server import Sent

__all__ = ["SERVICE", "WAYS"]

SERVICE: str = events_service_pb2.DESCRIPTOR.services_by_name["EventsService"].full_name

_Response: TypeAlias = pb.LogEventResponse | pb.ReceiveWebhookEventResponse

_DOORS: dict[str, tuple[Door, type[_Response]]] = {
    "LogEvent": (
        Door(
            http_source=Source.SDK,
            http_needs_client_time=True,
            shape=LOG_EVENT_REQUEST,
            transcoded_shape=LOG_EVENT_REQUEST_OF_JSON,
            body_format=Body.LOG_EVENT_REQUEST,
        ),
        pb.LogEventResponse,
    ),
    "ReceiveWebhookEvent": (
        Door(
            http_source=Source.WEBHOOK,
            http_needs_client_time=False,
            shape=RECEIVE_WEBHOOK_EVENT_REQUEST,
            body_format=Body.RECEIVE_WEBHOOK_EVENT_REQUEST,
        ),
        pb.ReceiveWebhookEventResponse,
    ),
}
_NO_MESSAGE = invalid_request("body", "a message", MISSING, mend="send one message in each call")
_SEVERAL_MESSAGES = invalid_request("body", "one message", "several", mend="send one message in each call")


def _answers(response: type[_Response]) -> Answers:
    def some_set_aside(events: int) -> bytes:
        return response(success=True, quarantined_events=events).SerializeToString()

    return Answers(accepted=response(success=True).SerializeToString(), some_set_aside=some_set_aside)


def _only(message: Sent) -> bytes | Invalid:
    if isinstance(message, bytes):
        return message
    return _NO_MESSAGE if message is None else _SEVERAL_MESSAGES


WAYS: Mapping[str, Way] = {
    f"/{SERVICE}/{name}": Way(door=door, body_of=_only, answers=_answers(response))
    for name, (door, response) in _DOORS.items()
}
