"""A worker that acknowledges everything, or answers as a test tells it, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import gc
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sluice.events.v1 import events_pb2, events_service_pb2
from sluice.worker_sockets import tools_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SERVICES = ("sluice.events.v1.HttpEventsService", "sluice.events.v1.EventsService")
METHODS = ("LogEvent", "ReceiveWebhookEvent", "LogCustomExposure")
REQUEST_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass(frozen=True)
class Call:
    """One call as it reached a worker: the name of its socket, the method's path, metadata, and the message's bytes."""

    worker: str
    path: str
    metadata: tuple[tuple[str, str | bytes], ...]
    message: bytes

    @property
    def body(self) -> bytes:
        return HttpBody.FromString(self.message).data

    @property
    def content_type(self) -> str:
        return HttpBody.FromString(self.message).content_type

    def header(self, name: str) -> str | bytes | None:
        return next((value for key, value in self.metadata if key == name), None)


@dataclass(frozen=True)
class Refusal:
    """An error as workers send it: field 15 of google.rpc.Status tells Envoy the HTTP status to print."""

    code: grpc.StatusCode
    message: str
    http_status: int = 0
    with_details: bool = True
    detailed_message: str = ""

    @property
    def details(self) -> bytes:
        status = Status(code=self.code.value[0], message=self.detailed_message or self.message).SerializeToString()
        return status + (bytes([15 << 3]) + _varint(self.http_status) if self.http_status else b"")


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


@dataclass
class FakeWorker:
    """A grpc.aio server on a Unix socket, in a thread of its own.

    `answer` decides about each call; it returns None to acknowledge. Set it anew per test.
    """

    socket: Path
    max_receive_message_bytes: int
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call], Awaitable[Refusal | None]] | None = None

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: grpc.aio.Server | None = None
        self._thread.start()

    def start(self) -> None:
        self._await(self._start())

    def stop(self) -> None:
        """Stop serving at once: calls in flight end without an answer of this worker."""
        self._await(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def set_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        self._await(self._health.set("", status.SERVING if serving else status.NOT_SERVING))

    def _await(self, coroutine: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)  # type: ignore[arg-type]  # a coroutine

    async def _start(self) -> None:
        if self._server is not None:
            return
        self._server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", self.max_receive_message_bytes), ("grpc.so_reuseport", 0)]
        )
        for service in SERVICES:
            handlers = {name: self._handler(service, name) for name in METHODS}
            self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [events_service_pb2.DESCRIPTOR.services_by_name["EventsService"].full_name], self._server
        )
        for path in (str(self.socket), tools_socket(str(self.socket))):
            self._server.add_insecure_port(f"unix:{path}")
        await self._server.start()

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None
            # What is left of a server removes the socket's file when it goes, even if a successor has made it anew.
            gc.collect()

    def _handler(self, service: str, name: str) -> grpc.RpcMethodHandler:
        async def handle(message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            call = Call(self.socket.name, f"/{service}/{name}", tuple(context.invocation_metadata() or ()), message)
            self.calls.append(call)
            refusal = await self.answer(call) if self.answer else None
            told = [("x-http-status", str(refusal.http_status))] if refusal and refusal.http_status == 413 else []
            headers = [("x-request-id", REQUEST_ID), *told]
            # As workers do: gRPC sends again only what has no initial metadata.
            trailers_only = refusal and refusal.code is grpc.StatusCode.UNAVAILABLE and service == SERVICES[1]
            if not trailers_only:
                await context.send_initial_metadata(headers)
            if refusal is not None:
                details = [("grpc-status-details-bin", refusal.details)] if refusal.with_details else []
                context.set_trailing_metadata([*(headers if trailers_only else []), *details])
                await context.abort(refusal.code, refusal.message)
            if service.endswith("HttpEventsService"):
                return HttpBody(content_type="application/json", data=b'{"success":true}').SerializeToString()
            return events_pb2.LogEventResponse(success=True).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle)
