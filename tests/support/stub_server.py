"""A gRPC server that answers as a test says: for what the real service can't be made to do at will."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from sluice.events.v1 import events_pb2 as pb
from tests.support.waiting import wait_until

_SERVICE = "sluice.events.v1.EventsService"


@dataclass(frozen=True)
class Error:
    """An answer that is no acknowledgement."""

    code: grpc.StatusCode
    message: str = ""
    details: tuple[Message, ...] = ()


def refusal(*indices: int, path: str = "event_name") -> Error:
    """INVALID_ARGUMENT as the service gives it, naming these events."""
    bad = error_details_pb2.BadRequest()
    for index in indices:
        bad.field_violations.add(field=f"events[{index}].{path}", description="expected text, got number")
    return Error(grpc.StatusCode.INVALID_ARGUMENT, f"{len(indices)} events are invalid", (bad,))


UNAVAILABLE = Error(grpc.StatusCode.UNAVAILABLE, "too many requests at once; send the batch again later")
UNAUTHENTICATED = Error(grpc.StatusCode.UNAUTHENTICATED, "API key is not known here")


@dataclass(frozen=True)
class Received:
    """One call."""

    method: str
    request: Any
    metadata: dict[str, str]

    @property
    def names(self) -> list[str]:
        return [event.event_name for event in self.request.events]


Answer: TypeAlias = Callable[[Received], Error | None]


@dataclass
class StubServer:
    """Remembers what it was sent; `answer` says what each call comes to, None: it is acknowledged."""

    address: str = ""
    calls: list[Received] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    answer: Answer = lambda _: None
    # Of each call that is acknowledged.
    sets_aside: int = 0
    # While it is set, calls wait.
    holds: threading.Event = field(default_factory=threading.Event)

    def answers(self, *answers: Error | None) -> None:
        """Answer the next calls so, and acknowledge all later ones."""
        waiting = list(answers)
        self.answer = lambda _: waiting.pop(0) if waiting else None

    def wait_for_calls(self, calls: int) -> None:
        wait_until(lambda: len(self.calls) >= calls, what=f"there are {calls} calls")

    def handle(self, method: str, request: Message, context: grpc.ServicerContext) -> Message:
        received = Received(method, request, {key: str(value) for key, value in context.invocation_metadata()})
        self.calls.append(received)
        while self.holds.is_set() and context.is_active():
            threading.Event().wait(0.005)
        error = self.answer(received)
        if error is None:
            self.acknowledged += received.names
            return pb.LogEventResponse(success=True, quarantined_events=self.sets_aside)
        if error.details:
            status = status_pb2.Status(code=error.code.value[0], message=error.message)
            for detail in error.details:
                status.details.add().Pack(detail)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(error.code, error.message)
        raise AssertionError("abort has raised")


@contextmanager
def stub_server(port: int = 0) -> Iterator[StubServer]:
    """A server on a free port of loopback, or on that one."""
    stub = StubServer()

    def handler(method: str, message: type[Message]) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: stub.handle(method, request, context),
            request_deserializer=message.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        handlers = {
            "LogEvent": handler("LogEvent", pb.LogEventRequest),
            "ReceiveWebhookEvent": handler("ReceiveWebhookEvent", pb.ReceiveWebhookEventRequest),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        stub.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
        server.start()
        try:
            yield stub
        finally:
            stub.holds.clear()
            server.stop(0).wait()
