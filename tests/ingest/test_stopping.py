"""How a worker ends: calls in flight are answered, the log is sealed, nobody waits for ever."""

from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.events.v1 import events_pb2 as pb
from tests.support.ingest_server import IngestServer

_REQUEST = pb.LogEventRequest(events=[pb.Event(event_name="e", user=pb.User(user_id="u"))]).SerializeToString()

# In these words it is the worker's answer, not gRPC's own for a connection that broke.
_STOPPING = (grpc.StatusCode.UNAVAILABLE, "this server is stopping; send the batch again")


def _call(channel: grpc.Channel, key: str) -> grpc.Future:
    call = channel.unary_unary("/sluice.events.v1.EventsService/LogEvent")
    return call.future(_REQUEST, metadata=[("statsig-api-key", key)], timeout=20)


def test_a_call_in_flight_is_answered_before_the_worker_ends(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    server.log.holds.set()
    waiting = _call(channel, server_key)
    assert server.log.handed_over.wait(10)

    server.ask_to_stop()
    assert not server.wait_until_stopped(within_s=0.5)
    server.log.holds.clear()

    assert waiting.code() is grpc.StatusCode.OK
    assert server.wait_until_stopped()
    assert server.log.closed
    assert len(server.log.entries) == 1


def test_a_second_request_to_stop_answers_waiting_calls_unavailable(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    server.log.holds.set()
    waiting = _call(channel, server_key)
    assert server.log.handed_over.wait(10)

    server.ask_to_stop()
    server.ask_to_stop()

    assert (waiting.code(), waiting.details()) == _STOPPING
    assert server.wait_until_stopped(within_s=5)


def test_calls_that_outlast_the_drain_time_are_answered_unavailable(tmp_path: Path, server_key: str) -> None:
    server = IngestServer(tmp_path, drain_timeout_s=0.2)
    server.log.holds.set()
    with server.channel() as channel:
        waiting = _call(channel, server_key)
        assert server.log.handed_over.wait(10)

        server.ask_to_stop()

        assert (waiting.code(), waiting.details()) == _STOPPING
        assert server.wait_until_stopped(within_s=5)


def test_a_watch_of_health_does_not_keep_a_worker_from_ending(server: IngestServer) -> None:
    with server.channel(tools=True) as tools:
        watch = health_pb2_grpc.HealthStub(tools).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        next(watch)

        server.ask_to_stop()

        assert server.wait_until_stopped(within_s=5)
        with pytest.raises(grpc.RpcError):
            list(watch)


def test_a_caller_that_goes_away_cancels_nothing_but_its_own_answer(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    server.log.holds.set()
    gone = _call(channel, server_key)
    assert server.log.handed_over.wait(10)
    gone.cancel()
    server.log.holds.clear()

    assert _call(channel, server_key).code() is grpc.StatusCode.OK
