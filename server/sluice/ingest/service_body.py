"""The door for JSON: HttpEventsService, by which Envoy hands on the bytes of an HTTP body as google.api.HttpBody.

For Envoy alone; it sends a message even for an empty body. The service is named by text: if its generated code were
loaded, reflection would show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import DecodeError

from sluice.contract import Source
from sluice.ingest.call import Answers, Way
from sluice.ingest.door import Door
from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT, WEBHOOK
from sluice.ingest.violations import MISSING, Invalid, invalid_request
from sluice.log.ports import Body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.ingest.call_server import Sent

__all__ = ["SERVICE", "WAYS"]

SERVICE = "sluice.events.v1.HttpEventsService"

_DOORS = {
    "LogEvent": Door(http_source=Source.SDK, http_needs_client_time=True, shape=LOG_EVENT, body_format=Body.JSON),
    "ReceiveWebhookEvent": Door(
        http_source=Source.WEBHOOK, http_needs_client_time=False, shape=WEBHOOK, body_format=Body.JSON
    ),
    "LogCustomExposure": Door(
        http_source=Source.SDK,
        http_needs_client_time=False,
        shape=CUSTOM_EXPOSURES,
        body_format=Body.CUSTOM_EXPOSURES,
    ),
}
_FOR_ENVOY = "send JSON to /v1/log_event: this service is for Envoy alone"
# Several SDKs take a 2xx without a JSON object for a failure, and send the batch again.
_ACCEPTED: bytes = HttpBody(content_type="application/json", data=b'{"success":true}').SerializeToString()


def _some_set_aside(events: int) -> bytes:
    data = f'{{"success":true,"quarantinedEvents":{events}}}'.encode()
    message: bytes = HttpBody(content_type="application/json", data=data).SerializeToString()
    return message


_ANSWERS = Answers(accepted=_ACCEPTED, some_set_aside=_some_set_aside)


def _body(message: Sent) -> bytes | Invalid:
    if not isinstance(message, bytes):
        return invalid_request(
            "body", "google.api.HttpBody", MISSING if message is None else "several", mend=_FOR_ENVOY
        )
    try:
        data: bytes = HttpBody.FromString(message).data
    except DecodeError:
        return invalid_request("body", "google.api.HttpBody", "bytes that are none", mend=_FOR_ENVOY)
    return data


WAYS: Mapping[str, Way] = {
    f"/{SERVICE}/{name}": Way(door=door, body_of=_body, answers=_ANSWERS) for name, door in _DOORS.items()
}
