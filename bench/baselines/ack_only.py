"""A worker that acknowledges every request without a look at it: what gRPC alone costs.

python -m bench.baselines.ack_only aio SOCKET      as one writes it with grpc.aio and uvloop
python -m bench.baselines.ack_only calls SOCKET    on the server that Sluice's workers have
"""

import asyncio
import sys
import threading

import grpc
import uvloop
from google.api.httpbody_pb2 import HttpBody
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from sluice.ingest.call_server import CallServer, Sent, ServerCall

_OPTIONS = [("grpc.max_receive_message_length", 2**25), ("grpc.so_reuseport", 0)]
_HEALTHY = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()
_ANSWER = HttpBody(content_type="application/json", data=b'{"success":true}').SerializeToString()


async def _call(_message: bytes, _context: grpc.aio.ServicerContext) -> bytes:  # type: ignore[type-arg]  # bytes both ways
    return _ANSWER


def _take(call: ServerCall, _sent: Sent) -> None:
    call.answer(_HEALTHY if call.method.endswith("Check") else _ANSWER)


def calls(socket: str) -> None:
    server = CallServer(_take, _OPTIONS)
    server.listen(f"unix:{socket}")
    server.start()
    threading.Event().wait()


async def aio(socket: str) -> None:
    server = grpc.aio.server(options=_OPTIONS)
    methods = {"LogEvent": grpc.unary_unary_rpc_method_handler(_call)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("sluice.events.v1.HttpEventsService", methods),)
    )
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    await state.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if sys.argv[1] == "calls":
        calls(sys.argv[2])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(aio(sys.argv[2]))
