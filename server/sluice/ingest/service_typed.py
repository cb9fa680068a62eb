"""The door for protobuf: EventsService, for native gRPC and gRPC-Web callers, and for Envoy's typed transcoding.

Calls are taken as streams of one request, which is the same on the wire: as plain unary ones, a caller that sends no
message would wait for an answer until its deadline, and one that sends several would be told OK for the first alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import grpc

from sluice.contract import Source
from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2
from sluice.ingest.call import Answers
from sluice.ingest.receive import Door
from sluice.ingest.validate_proto import (
    LOG_EVENT_REQUEST,
    LOG_EVENT_REQUEST_OF_JSON,
    RECEIVE_WEBHOOK_EVENT_REQUEST,
)
from sluice.ingest.violations import MISSING, Invalid, invalid_request
from sluice.log.ports import Body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sluice.ingest.call import Context, Desk

__all__ = ["SERVICE", "handlers"]

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


def handlers(desk: Desk) -> grpc.GenericRpcHandler:
    """The service's calls, on raw bytes."""
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.stream_unary_rpc_method_handler(_call(desk, door, _answers(response)))
            for name, (door, response) in _DOORS.items()
        },
    )


def _answers(response: type[_Response]) -> Answers:
    def some_set_aside(events: int) -> bytes:
        return response(success=True, quarantined_events=events).SerializeToString()

    return Answers(accepted=response(success=True).SerializeToString(), some_set_aside=some_set_aside)


def _call(desk: Desk, door: Door, answers: Answers) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
    async def call(_: AsyncIterator[bytes], context: Context) -> bytes:
        return await desk.answer(context, door, await _only_message(context), answers)

    return call


async def _only_message(context: Context) -> bytes | Invalid:
    message: object = await context.read()
    if not isinstance(message, bytes):
        return _NO_MESSAGE
    following: object = await context.read()
    return _SEVERAL_MESSAGES if isinstance(following, bytes) else message
