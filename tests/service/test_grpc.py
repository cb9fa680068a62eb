"""Native gRPC: both calls, keys, sizes, health and reflection, as an internal service uses them."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from tests.support.service import Service


@pytest.fixture
def channel(service: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.grpc) as opened:
        yield opened


def _event(name: str, *, text: str = "") -> pb.Event:
    event = pb.Event(event_name=name, time=1767225600000)
    event.user.user_id = "u1"
    event.user.custom["plan"] = "pro"
    event.user.custom_ids["companyID"] = "c9"
    event.value.number_value = 9.5
    event.metadata["text"] = text
    return event


def _request_id(call: grpc.Call) -> str:
    return dict(call.initial_metadata())["x-request-id"]


def test_both_calls_write_rows(service: Service, channel: grpc.Channel) -> None:
    stub = services.EventsServiceStub(channel)
    metadata = [("statsig-api-key", service.server_key)]
    logged, log_call = stub.LogEvent.with_call(
        pb.LogEventRequest(
            events=[_event("a"), _event("b")], statsig_metadata=pb.StatsigMetadata(sdk_type="own", session_id="s1")
        ),
        metadata=metadata,
        timeout=20,
    )
    received, webhook_call = stub.ReceiveWebhookEvent.with_call(
        pb.ReceiveWebhookEventRequest(events=[_event("c")]), metadata=metadata, timeout=20
    )
    service.flush()

    assert logged.success
    assert received.success
    assert service.rows(
        "select event_name, user_id, user_custom, value_number, metadata, source, sdk_type, session_id from events "
        f"where request_id in ('{_request_id(log_call)}', '{_request_id(webhook_call)}') order by event_name"
    ) == [
        ("a", "u1", '{"plan":"pro"}', 9.5, '{"text":""}', "grpc", "own", "s1"),
        ("b", "u1", '{"plan":"pro"}', 9.5, '{"text":""}', "grpc", "own", "s1"),
        ("c", "u1", '{"plan":"pro"}', 9.5, '{"text":""}', "grpc", None, None),
    ]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        pytest.param([], "statsig-api-key", id="no key"),
        pytest.param([("statsig-api-key", "secret-unknown")], "known here", id="a key that is not known"),
    ],
)
def test_a_wrong_key_is_unauthenticated(channel: grpc.Channel, metadata: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        services.EventsServiceStub(channel).LogEvent(
            pb.LogEventRequest(events=[_event("a")]), metadata=metadata, timeout=20
        )

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert said in refused.value.details()


def test_a_client_key_opens_log_event_and_not_the_webhook_call(service: Service, channel: grpc.Channel) -> None:
    stub = services.EventsServiceStub(channel)
    metadata = [("statsig-api-key", service.client_key)]

    assert stub.LogEvent(pb.LogEventRequest(events=[_event("a")]), metadata=metadata, timeout=20).success
    with pytest.raises(grpc.RpcError) as refused:
        stub.ReceiveWebhookEvent(pb.ReceiveWebhookEventRequest(events=[_event("a")]), metadata=metadata, timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_an_invalid_event_is_invalid_argument_with_its_path(service: Service, channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        services.EventsServiceStub(channel).LogEvent(
            pb.LogEventRequest(events=[_event("a"), pb.Event(event_name="no user")]),
            metadata=[("statsig-api-key", service.server_key)],
            timeout=20,
        )

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "events[1].user" in refused.value.details()


def test_a_message_of_9_mb_passes_and_one_of_11_mb_is_refused_without_resource_exhausted(
    service: Service, channel: grpc.Channel
) -> None:
    stub = services.EventsServiceStub(channel)
    metadata = [("statsig-api-key", service.server_key)]

    answer = stub.LogEvent(
        pb.LogEventRequest(events=[_event("large", text="x" * 9_000_000)]), metadata=metadata, timeout=30
    )
    assert answer.success

    with pytest.raises(grpc.RpcError) as refused:
        stub.LogEvent(
            pb.LogEventRequest(events=[_event("larger", text="x" * 11_000_000)]), metadata=metadata, timeout=30
        )
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(service.max_body) in refused.value.details()


@pytest.mark.parametrize("size", [9_000, 15_000, 30_000])
def test_large_metadata_is_taken(service: Service, channel: grpc.Channel, size: int) -> None:
    # gRPC refuses by chance between its soft and its hard limit, so once would show little.
    for _ in range(10):
        answer = services.EventsServiceStub(channel).LogEvent(
            pb.LogEventRequest(events=[_event("a")]),
            metadata=[("statsig-api-key", service.server_key), ("x-baggage", "x" * size)],
            timeout=20,
        )
        assert answer.success


def test_what_one_caller_sends_wrong_disturbs_no_other(service: Service, channel: grpc.Channel) -> None:
    stub = services.EventsServiceStub(channel)
    headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    # A worker reads all callers' headers on one connection from Envoy.
    for wrong in (
        {"grpc-timeout": "zz"},
        {"x-bin": "!!!"},
        {"grpc-previous-rpc-attempts": "zz"},
        {"grpc-status": "zz"},
    ):
        for _ in range(16):  # there is a connection from each of Envoy's threads to each worker
            httpx.post(
                f"{service.rest}/sluice.events.v1.EventsService/LogEvent",
                content=b"\0\0\0\0\0",
                headers=headers | wrong,
                timeout=10,
            )

    # gRPC remembers what it has read once: each call has another deadline.
    for deadline_s in range(11, 23):
        answer = stub.LogEvent(
            pb.LogEventRequest(events=[_event("a")]),
            metadata=[("statsig-api-key", service.server_key), ("x-bin", b"ok")],
            timeout=deadline_s,
        )
        assert answer.success


def test_health_and_reflection_answer(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    names = ProtoReflectionDescriptorDatabase(channel).get_services()

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "sluice.events.v1.EventsService" in names
    assert not [name for name in names if "HttpEventsService" in name]


def test_the_service_for_envoy_alone_is_not_routed(service: Service, channel: grpc.Channel) -> None:
    call = channel.unary_unary("/sluice.events.v1.HttpEventsService/LogEvent")
    with pytest.raises(grpc.RpcError) as refused:
        call(b"", metadata=[("statsig-api-key", service.server_key)], timeout=20)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
