import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sluice.error_details import too_large_message
from sluice.events.v1 import events_pb2, events_service_pb2_grpc
from tests.support.edge import MAX_BODY
from tests.support.fake_worker import REQUEST_ID, Refusal

SERVICE = "/sluice.events.v1.EventsService"


@pytest.fixture
def channel(edge):
    options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
    with grpc.insecure_channel("{}:{}".format(*edge.address), options=options) as channel:
        yield channel


def _call(channel, method, message=b"", **named):
    return channel.unary_unary(method).with_call(message, timeout=10, **named)


def _refuse(edge, refusal):
    async def answer(_call):
        return refusal

    for worker in edge.workers:
        worker.answer = answer


def test_both_calls_reach_a_worker_and_its_answers_come_back(edge, channel):
    stub = events_service_pb2_grpc.EventsServiceStub(channel)

    logged, call = stub.LogEvent.with_call(events_pb2.LogEventRequest(), metadata=[("statsig-api-key", "secret-1")])
    received = stub.ReceiveWebhookEvent(events_pb2.ReceiveWebhookEventRequest())

    assert (logged.success, received.success) == (True, True)
    assert [call.path for call in edge.calls] == [f"{SERVICE}/LogEvent", f"{SERVICE}/ReceiveWebhookEvent"]
    assert edge.calls[0].header("statsig-api-key") == "secret-1"
    assert dict(call.initial_metadata())["x-request-id"] == REQUEST_ID


def test_a_worker_sees_the_callers_own_metadata_and_no_forged_path(edge, channel):
    own = [("statsig-api-key", "secret-1"), ("statsig-client-time", "5")]
    forged = [("x-envoy-original-path", "/v1/webhooks/event_webhook"), ("x-request-id", "mine")]
    unread = [("anything-bin", b"\x00\xff")]

    _call(channel, f"{SERVICE}/LogEvent", metadata=[*own, *forged, *unread])

    assert sorted(edge.calls[0].metadata) == sorted(own)


def test_a_workers_refusal_comes_back_with_its_code_and_details(edge, channel):
    _refuse(edge, Refusal(grpc.StatusCode.INVALID_ARGUMENT, "events[3].time: expected integer", 400))

    with pytest.raises(grpc.RpcError) as caught:
        _call(channel, f"{SERVICE}/LogEvent")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "events[3].time: expected integer"
    assert "grpc-status-details-bin" in dict(caught.value.trailing_metadata())


@pytest.mark.parametrize("size", [MAX_BODY * 9 // 10, MAX_BODY])
def test_a_message_up_to_the_limit_passes_whole(edge, channel, size):
    _call(channel, f"{SERVICE}/LogEvent", b"x" * size)

    assert [len(call.message) for call in edge.calls] == [size]


@pytest.mark.parametrize("size", [MAX_BODY + 1, MAX_BODY * 11 // 10, MAX_BODY * 4])
def test_a_message_above_the_limit_is_invalid_and_not_resource_exhausted(edge, channel, size):
    with pytest.raises(grpc.RpcError) as caught:
        _call(channel, f"{SERVICE}/LogEvent", b"x" * size)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == too_large_message(MAX_BODY)
    assert edge.calls == []


@pytest.mark.parametrize(
    ("method", "named"),
    [
        ("/sluice.events.v1.HttpEventsService/LogEvent", {}),
        ("/sluice.events.v1.HttpEventsService/ReceiveWebhookEvent", {}),
        ("/sluice.events.v1.Unknown/LogEvent", {}),
        ("/v1/log_event", {}),
        (f"{SERVICE}/LogEvent", {"compression": grpc.Compression.Gzip}),
    ],
)
def test_what_is_not_offered_to_grpc_callers_is_unimplemented(edge, channel, method, named):
    with pytest.raises(grpc.RpcError) as caught:
        _call(channel, method, b"x" * 10_000, **named)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert edge.calls == []


def test_the_health_service_answers(channel):
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_is_routed_where_it_is_asked_for(channel, version):
    if version == "v1":
        call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.RpcError, match="Method not found"):  # grpcio-reflection offers v1alpha only
            list(call(iter([b""]), timeout=10))
        return
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)

    assert [service.name for service in answer.list_services_response.service] == ["sluice.events.v1.EventsService"]


def test_json_for_the_grpc_path_is_415(edge):
    assert edge.post(path=f"{SERVICE}/LogEvent").status == 415
