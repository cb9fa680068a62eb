"""Errors of native gRPC calls through the real doors: what a program reads of them, and a worker that is lost."""

import asyncio
import os
import signal
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from sluice.edge.admin import EnvoyAdmin
from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from tests.support.grpc_errors import details_of, reason_of
from tests.support.service import Service
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service") / "data"
    with Service(folder, "--workers", "1", "--reflection", "off") as running:
        yield running


@pytest.fixture
def channel(service: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.grpc) as opened:
        yield opened


def _event() -> pb.Event:
    return pb.Event(event_name="e", time=1767225600000, user=pb.User(user_id="u1"))


def _error(channel: grpc.Channel, key: str, *events: pb.Event) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        services.EventsServiceStub(channel).LogEvent(
            pb.LogEventRequest(events=events), metadata=[("statsig-api-key", key)], timeout=20
        )
    return caught.value


def test_invalid_events_are_named_with_their_paths_and_counted(service: Service, channel: grpc.Channel) -> None:
    error = _error(channel, service.server_key, _event(), pb.Event(event_name="no user"), pb.Event())

    [request] = details_of(error, error_details_pb2.BadRequest)
    [info] = details_of(error, error_details_pb2.ErrorInfo)
    assert [violation.field for violation in request.field_violations] == [
        "events[1].user",
        "events[2].event_name",
        "events[2].user",
    ]
    assert (info.reason, info.metadata["invalid_events"], info.metadata["events"]) == ("INVALID_EVENTS", "2", "3")


def test_of_very_many_invalid_events_the_first_reach_a_client_with_its_own_limit_of_trailers(
    service: Service, channel: grpc.Channel
) -> None:
    error = _error(channel, service.server_key, *[pb.Event()] * 1000)

    [request] = details_of(error, error_details_pb2.BadRequest)
    [info] = details_of(error, error_details_pb2.ErrorInfo)
    assert 40 < len(request.field_violations) < 200
    assert info.metadata["invalid_events"] == "1000"


def test_a_key_that_is_not_known_is_named_by_its_beginning(channel: grpc.Channel) -> None:
    error = _error(channel, "secret-0123456789", _event())

    [info] = details_of(error, error_details_pb2.ErrorInfo)
    assert (info.reason, dict(info.metadata)) == ("KEY_UNKNOWN", {"key_prefix": "secret-0"})


def test_reflection_that_is_off_says_so_and_health_answers(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "got reflection, which is off here" in caught.value.details()
    assert reason_of(caught.value) == "REFLECTION_OFF"
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_a_call_whose_worker_is_killed_says_that_the_events_may_be_stored(
    service: Service, channel: grpc.Channel
) -> None:
    envoy = EnvoyAdmin(f"{service.run_file.sockets}/envoy.sock")
    worker = service.pid("worker-0")
    os.kill(worker, signal.SIGSTOP)
    call = services.EventsServiceStub(channel).LogEvent.future(
        pb.LogEventRequest(events=[_event()]), metadata=[("statsig-api-key", service.server_key)], timeout=20
    )
    wait_until(lambda: asyncio.run(envoy.active_requests()) == 1)
    os.kill(worker, signal.SIGKILL)

    error = call.exception(timeout=20)
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "WORKER_LOST")
    assert "may be on disk" in error.details()
    [retry] = details_of(error, error_details_pb2.RetryInfo)
    assert retry.retry_delay.seconds == 1
    wait_until(service.is_ready, within_s=20)
