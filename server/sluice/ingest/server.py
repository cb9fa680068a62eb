"""The gRPC servers of a worker, each on a Unix socket of its own.

One has the doors, and the health that Envoy and the supervisor ask for; the other what people and their tools ask for:
watches of health, and reflection.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from sluice.error_details import DETAILS_TRAILER, NO_SUCH_METHOD, Reason, status_with_details
from sluice.errors import SluiceError
from sluice.ingest import service_body, service_typed
from sluice.ingest.call_server import CallServer
from sluice.ingest.first_to_close import closed_first
from sluice.worker_sockets import tools_socket

if TYPE_CHECKING:
    from sluice.ingest.call import Desk
    from sluice.ingest.call_server import Sent, ServerCall

__all__ = ["CannotListen", "DoorServer"]

# Above all that Envoy lets in (32 KiB of headers, edge/limits.py), with what it adds. gRPC's own limits, 8 and 16 KiB,
# would answer RESOURCE_EXHAUSTED, and between the two by chance.
_MAX_METADATA_BYTES = 64 * 1024

# What health is asked for: the whole server, and the service that is shown.
_HEALTH_OF = ("", service_typed.SERVICE)
_CHECK_HEALTH = "/grpc.health.v1.Health/Check"
_WAYS = {**service_body.WAYS, **service_typed.WAYS}
_NO_SUCH_METHOD_TRAILERS = (
    (
        DETAILS_TRAILER,
        status_with_details(
            grpc.StatusCode.UNIMPLEMENTED.value[0], NO_SUCH_METHOD, Reason.METHOD_NOT_FOUND, {}
        ).SerializeToString(),
    ),
)

# To connect is to write: an Envoy of another user belongs to the socket's group. The folder keeps others out.
_SOCKET_MODE = 0o660
_LOOK_EVERY_S = 0.01
# For the ends of calls that were cut off.
_ENDS_WITHIN_S = 1.0
# What is said of health holds for so long; it is said again each tenth of a second.
_HANGS_AFTER_S = 5.0

_States = health_pb2.HealthCheckResponse


class CannotListen(SluiceError):
    """The socket can't be made."""


class DoorServer:
    """Listens from `start` to `stop`.

    Args:
        desk: answers the calls.
        socket: path of the Unix socket of the doors; that for people and their tools is beside it.
        max_receive_bytes: gRPC's limit for one message.
        reflection: whether it answers.

    Raises:
        CannotListen: a socket can't be made.
    """

    def __init__(self, desk: Desk, *, socket: str, max_receive_bytes: int, reflection: bool) -> None:
        # Other options (bdp_probe off, optimization_target, write_buffer_size) were measured: no difference beyond the
        # noise. maximum_concurrent_rpcs stays off: it answers RESOURCE_EXHAUSTED.
        options = [
            ("grpc.max_receive_message_length", max_receive_bytes),
            ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
            ("grpc.so_reuseport", 0),
        ]
        self._desk = desk
        self._calls = CallServer(self._take, options)
        self._tools = grpc.aio.server(options=options)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._tools)
        if reflection:
            enable_server_reflection([service_typed.SERVICE], self._tools)
        for path, listen in ((socket, self._calls.listen), (tools_socket(socket), self._tools.add_insecure_port)):
            try:
                with closed_first():
                    listen(f"unix:{path}")
            except RuntimeError as exc:
                # gRPC has written why to standard error, and says here only that.
                raise CannotListen(f"can't listen on {path}", hint="the line of gRPC above says why") from exc
            Path(path).chmod(_SOCKET_MODE)
        self._serving: bool | None = None
        self._shown_at_s = math.inf

    @property
    def is_idle(self) -> bool:
        """Whether no call is being answered."""
        return not self._calls.active

    @property
    def is_running(self) -> bool:
        """Whether calls are taken, or answered."""
        return self._calls.is_running

    async def start(self) -> None:
        """Begin to listen; not yet healthy."""
        await self.show_health(serving=False)
        await self._tools.start()
        self._calls.start()

    async def show_health(self, *, serving: bool) -> None:
        """Tell those who ask whether requests are taken."""
        self._shown_at_s = time.monotonic()
        if serving == self._serving:
            return
        self._serving = serving
        for service in _HEALTH_OF:
            await self._health.set(service, _States.SERVING if serving else _States.NOT_SERVING)

    async def show_end(self) -> None:
        """Tell that no more requests are taken, from now on without being told again."""
        await self.show_health(serving=False)
        self._shown_at_s = math.inf

    async def idle(self) -> None:
        """Return when no call is being answered."""
        while not self.is_idle:  # noqa: ASYNC110  another thread counts them
            await asyncio.sleep(_LOOK_EVERY_S)

    async def stop(self, *, within_s: float) -> None:
        """Listen no more; return when no call is left, or when those that are have been cut off after that time.

        May be called again with a shorter time.
        """
        tools = asyncio.create_task(self._tools.stop(within_s))
        self._calls.stop()
        await self._until_ended(within_s)
        if self._calls.is_running:
            self._calls.cut_off()
            await self._until_ended(_ENDS_WITHIN_S)
        await tools

    async def _until_ended(self, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        while self._calls.is_running and time.monotonic() < deadline_s:  # noqa: ASYNC110  another thread ends
            await asyncio.sleep(_LOOK_EVERY_S)

    def _take(self, call: ServerCall, sent: Sent) -> None:
        way = _WAYS.get(call.method)
        if way is not None:
            self._desk.take(way, call, sent)
        elif call.method == _CHECK_HEALTH:
            self._answer_health(call, sent)
        else:
            call.fail(grpc.StatusCode.UNIMPLEMENTED, NO_SUCH_METHOD, trailers=_NO_SUCH_METHOD_TRAILERS)

    def _answer_health(self, call: ServerCall, sent: Sent) -> None:
        try:
            asked = health_pb2.HealthCheckRequest.FromString(sent if isinstance(sent, bytes) else b"")
        except DecodeError:
            asked = None
        if asked is None or asked.service not in _HEALTH_OF:
            call.fail(grpc.StatusCode.NOT_FOUND, "service unknown")
            return
        if time.monotonic() - self._shown_at_s > _HANGS_AFTER_S:
            return  # the event loop hangs: whoever asks is to take this worker for one that does
        status = _States.SERVING if self._serving else _States.NOT_SERVING
        call.answer(health_pb2.HealthCheckResponse(status=status).SerializeToString())
