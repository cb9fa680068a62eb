"""The gRPC server of a worker: its doors, health and reflection, on one Unix socket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from sluice.errors import SluiceError
from sluice.ingest import service_body, service_typed

if TYPE_CHECKING:
    from sluice.ingest.call import Desk

__all__ = ["CannotListen", "DoorServer"]

# Above all that Envoy lets in (32 KiB of headers, edge/limits.py), with what it adds. gRPC's own limits, 8 and 16 KiB,
# would answer RESOURCE_EXHAUSTED, and between the two by chance.
_MAX_METADATA_BYTES = 64 * 1024

# What health is asked for: the whole server, and the service that is shown.
_HEALTH_OF = ("", service_typed.SERVICE)

# To connect is to write: an Envoy of another user belongs to the socket's group. The folder keeps others out.
_SOCKET_MODE = 0o660


class CannotListen(SluiceError):
    """The socket can't be made."""


class DoorServer:
    """Listens from `start` to `stop`.

    Args:
        desk: answers the calls.
        socket: path of the Unix socket.
        max_receive_bytes: gRPC's limit for one message.
        reflection: whether it answers.

    Raises:
        CannotListen: the socket can't be made.
    """

    def __init__(self, desk: Desk, *, socket: str, max_receive_bytes: int, reflection: bool) -> None:
        # Other options (bdp_probe off, optimization_target, write_buffer_size) were measured: no difference beyond the
        # noise. maximum_concurrent_rpcs stays off: it answers RESOURCE_EXHAUSTED.
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", max_receive_bytes),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.so_reuseport", 0),
            ]
        )
        self._server.add_generic_rpc_handlers((service_body.handlers(desk), service_typed.handlers(desk)))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if reflection:
            enable_server_reflection([service_typed.SERVICE], self._server)
        try:
            self._server.add_insecure_port(f"unix:{socket}")
        except RuntimeError as exc:
            # gRPC has written why to standard error, and says here only that.
            raise CannotListen(f"can't listen on {socket}", hint="the line of gRPC above says why") from exc
        Path(socket).chmod(_SOCKET_MODE)
        self._serving: bool | None = None

    async def start(self) -> None:
        """Begin to listen; not yet healthy."""
        await self.show_health(serving=False)
        await self._server.start()

    async def show_health(self, *, serving: bool) -> None:
        """Tell those who ask whether requests are taken."""
        if serving == self._serving:
            return
        self._serving = serving
        states = health_pb2.HealthCheckResponse
        for service in _HEALTH_OF:
            await self._health.set(service, states.SERVING if serving else states.NOT_SERVING)

    async def stop(self, *, within_s: float) -> None:
        """Listen no more; return when no call is left, or when those that are have been cut off after that time.

        May be called again with a shorter time.
        """
        await self._server.stop(within_s)
