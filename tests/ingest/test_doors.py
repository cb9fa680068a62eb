"""Through a real gRPC client and the worker's Unix socket: what is accepted, what is kept of it, what is answered."""

import os
import uuid
from pathlib import Path

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from sluice.contract import Source
from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile
from sluice.log.ports import Body
from tests.support.grpc_errors import RETRIES
from tests.support.ingest_server import IngestServer, native, rest, typed
from tests.support.waiting import wait_until

_GOOD = b'{"events":[{"user":{"userID":"u1"},"eventName":"bought","time":1767225600000}]}'
_TIME = ("statsig-client-time", "1767225600000")
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def _event(name: str = "e", **fields: object) -> pb.Event:
    return pb.Event(event_name=name, user=pb.User(user_id="u1"), time=1767225600000, **fields)  # type: ignore[arg-type]  # fields of a message


def test_a_rest_body_is_appended_as_it_came_with_what_headers_say(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    answer = rest(
        channel,
        _GOOD,
        ("statsig-api-key", server_key),
        _TIME,
        ("statsig-sdk-type", "py-server"),
        ("statsig-sdk-version", "0.72.1"),
        ("statsig-server-session-id", "s-1"),
    )

    assert (answer.code, answer.body) == (grpc.StatusCode.OK, b'{"success":true}')
    [entry] = server.log.entries
    assert str(uuid.UUID(bytes=entry.request_id)) == answer.request_id
    assert (entry.source, entry.body, entry.body_format, entry.event_count) == (Source.SDK, _GOOD, Body.JSON, 1)
    assert (entry.client_time_ms, entry.project) == (1767225600000, "default")
    assert (entry.sdk_type, entry.sdk_version, entry.session_id) == ("py-server", "0.72.1", "s-1")


def test_a_beacon_tells_all_in_its_query(server: IngestServer, channel: grpc.Channel, client_key: str) -> None:
    path = f"/v1/rgstr?k={client_key}&st=javascript%2Dclient&sv=3.33.5&t=1795413118234&sid=a+b&ec=1"

    answer = rest(channel, _GOOD, path=path)

    assert answer.code is grpc.StatusCode.OK
    [entry] = server.log.entries
    assert (entry.client_time_ms, entry.sdk_type, entry.sdk_version) == (1795413118234, "javascript-client", "3.33.5")
    assert entry.session_id == "a b"


def test_a_typed_message_is_appended_as_it_came(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    request = pb.LogEventRequest(events=[_event(), _event()])

    answer = native(channel, request, ("statsig-api-key", server_key))

    assert answer.code is grpc.StatusCode.OK
    assert pb.LogEventResponse.FromString(answer.body).success
    [entry] = server.log.entries
    assert str(uuid.UUID(bytes=entry.request_id)) == answer.request_id
    assert (entry.source, entry.body_format, entry.event_count) == (Source.GRPC, Body.LOG_EVENT_REQUEST, 2)
    assert (entry.body, entry.client_time_ms) == (request.SerializeToString(), None)


def test_what_envoy_made_a_typed_message_of_is_appended_as_a_request_of_an_sdk(
    server: IngestServer, channel: grpc.Channel, client_key: str
) -> None:
    request = pb.LogEventRequest(events=[_event()])

    answer = typed(channel, request, query=f"?k={client_key}&t=5&st=js-client")

    assert answer.code is grpc.StatusCode.OK
    [entry] = server.log.entries
    assert (entry.source, entry.body_format) == (Source.SDK, Body.LOG_EVENT_REQUEST)
    assert (entry.body, entry.client_time_ms, entry.sdk_type) == (request.SerializeToString(), 5, "js-client")


def test_what_envoy_made_a_typed_message_of_is_held_to_the_contract_of_json(
    channel: grpc.Channel, server_key: str
) -> None:
    no_time = pb.Event(event_name="e", user=pb.User())

    answers = [
        typed(channel, pb.LogEventRequest(events=[no_time]), ("statsig-api-key", server_key), _TIME),
        typed(channel, pb.LogEventRequest(events=[_event()]), ("statsig-api-key", server_key)),
        native(channel, pb.LogEventRequest(events=[no_time]), ("statsig-api-key", server_key)),
    ]

    assert [answer.code for answer in answers] == [_INVALID, _INVALID, grpc.StatusCode.OK]
    assert answers[0].message.startswith("events[0].time: missing")
    assert answers[1].message.startswith("STATSIG-CLIENT-TIME: missing, expected integer (ms since epoch); ")


def test_what_grew_too_large_when_envoy_made_a_typed_message_of_it_is_413(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    large = pb.LogEventRequest(events=[_event("x" * server.config.max_body_bytes)])

    answer = typed(channel, large, ("statsig-api-key", server_key), _TIME)

    assert answer.code is grpc.StatusCode.OUT_OF_RANGE
    # Field 15, varint 413.
    assert answer.details.endswith(b"\x78\x9d\x03")


def test_private_attributes_do_not_reach_the_log(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    body = b'{"events":[{"user":{"userID":"u","privateAttributes":{"a":"s3cret"}},"eventName":"e","time":1}]}'

    rest(channel, body, ("statsig-api-key", server_key), _TIME)

    [entry] = server.log.entries
    assert entry.body == b'{"events":[{"user":{"userID":"u"},"eventName":"e","time":1}]}'


@pytest.mark.parametrize("method", ["LogEvent", "ReceiveWebhookEvent"])
def test_no_events_are_accepted_and_write_nothing(
    server: IngestServer, channel: grpc.Channel, server_key: str, method: str
) -> None:
    answer = rest(channel, b'{"events":[]}', ("statsig-api-key", server_key), _TIME, method=method)

    assert answer.code is grpc.StatusCode.OK
    assert not server.log.entries


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (None, "STATSIG-CLIENT-TIME: missing, expected integer (ms since epoch)"),
        ("", "STATSIG-CLIENT-TIME: missing, expected integer (ms since epoch)"),
        ("1.5", "STATSIG-CLIENT-TIME: expected integer (ms since epoch), got another text"),
        ("1_0", "STATSIG-CLIENT-TIME: expected integer (ms since epoch), got another text"),
        (str(2**63), "STATSIG-CLIENT-TIME: expected integer (ms since epoch), got number beyond 64 bits"),
    ],
)
def test_log_event_needs_the_clients_time(channel: grpc.Channel, server_key: str, time: str | None, said: str) -> None:
    metadata = [("statsig-api-key", server_key)] + ([("statsig-client-time", time)] if time is not None else [])

    answer = rest(channel, _GOOD, *metadata)

    mend = "send the client's clock in this header, or as t in the query"
    assert (answer.code, answer.message) == (_INVALID, f"{said}; {mend}")


@pytest.mark.parametrize(("time", "code"), [(None, grpc.StatusCode.OK), ("-5", grpc.StatusCode.OK), ("soon", _INVALID)])
def test_webhooks_and_native_calls_may_leave_the_time_out(
    channel: grpc.Channel, server_key: str, time: str | None, code: grpc.StatusCode
) -> None:
    metadata = [("statsig-api-key", server_key)] + ([("statsig-client-time", time)] if time else [])

    webhook = rest(channel, _GOOD, *metadata, method="ReceiveWebhookEvent")
    called = native(channel, pb.LogEventRequest(events=[_event()]), *metadata)

    assert (webhook.code, called.code) == (code, code)


def test_a_wrong_key_says_which_and_comes_before_all_else(
    channel: grpc.Channel, server_key: str, client_key: str
) -> None:
    unknown = ("statsig-api-key", "secret-0123456789-unknown")
    answers = {
        "missing": rest(channel, b"nonsense"),
        "unknown": rest(channel, b"nonsense", unknown),
        "webhook": rest(channel, b"nonsense", ("statsig-api-key", client_key), method="ReceiveWebhookEvent"),
        "query": rest(channel, b"nonsense", path=f"/v1/rgstr?k={server_key}"),
    }

    assert {answer.code for answer in answers.values()} == {_UNAUTHENTICATED}
    assert {name: answer.message for name, answer in answers.items()} == {
        "missing": "statsig-api-key: missing, expected an API key; send it in this header, a client key also as ?k=",
        "unknown": 'statsig-api-key: expected a key that is known here, got "secret-0..."; '
        "make one with sluice keys create, or to keep a Statsig key, import it: sluice keys import",
        "webhook": f'statsig-api-key: expected a key for this endpoint, got "{client_key[:8]}...", which is not; '
        "use one made for it, such as a server secret",
        "query": f'k in the query: expected a client key, got server secret "{server_key[:8]}..."; '
        "send it in the header statsig-api-key, and replace it, as addresses are logged",
    }
    # The contract's 401 has no status: field 15 is left out.
    for answer in answers.values():
        status = status_pb2.Status.FromString(answer.details)
        assert (status.code, status.message) == (16, answer.message)
        assert len(answer.details) == len(status_pb2.Status(code=16, message=answer.message).SerializeToString())


def test_an_error_tells_envoy_its_http_status(channel: grpc.Channel, server_key: str) -> None:
    answer = rest(channel, b"{}", ("statsig-api-key", server_key), _TIME)

    status = status_pb2.Status.FromString(answer.details)
    assert (status.code, status.message) == (3, 'events: missing, expected array; send {"events":[...]}')
    # Field 15, varint 400.
    assert b"\x78\x90\x03" in answer.details
    assert uuid.UUID(answer.request_id).version == 7


def test_the_first_hundred_bad_events_reach_a_rest_caller_whole(channel: grpc.Channel, server_key: str) -> None:
    event = '{"user":{},"eventName":1,"time":"x"}'
    body = f'{{"events":[{",".join([event] * 300)}]}}'.encode()

    answer = rest(channel, body, ("statsig-api-key", server_key), _TIME)

    message = status_pb2.Status.FromString(answer.details).message
    assert "events[99].time: expected integer (ms since epoch), got string that is no ISO-8601 time" in message
    assert "events[100]" not in message
    assert "(300 of 300 events are invalid; none was accepted:" in message


def test_a_native_callers_trailers_stay_within_what_it_takes(server: IngestServer, server_key: str) -> None:
    bad = pb.Event()
    bad.value.bool_value = True
    request = pb.LogEventRequest(events=[bad] * 300)

    with server.channel() as channel:
        answer = native(channel, request, ("statsig-api-key", server_key))

    assert answer.code is _INVALID
    assert answer.message.startswith("events[0].event_name: missing, expected string; events[0].user: missing, ")
    assert " more (300 of 300 events are invalid; none was accepted:" in answer.message
    assert len(answer.message) <= 6000


def test_a_message_beyond_the_body_limit_is_invalid_not_exhausted(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    request = pb.LogEventRequest(events=[_event("x" * (server.config.max_body_bytes + 1))])

    answer = native(channel, request, ("statsig-api-key", server_key))

    assert answer.code is _INVALID
    assert f"at most {server.config.max_body_bytes} bytes" in answer.message


def test_a_body_of_exactly_the_limit_is_taken(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    body = _GOOD + b" " * (server.config.max_body_bytes - len(_GOOD))

    assert rest(channel, body, ("statsig-api-key", server_key), _TIME).code is grpc.StatusCode.OK


def test_a_call_without_a_message_is_answered(channel: grpc.Channel, server_key: str) -> None:
    call = channel.stream_unary("/sluice.events.v1.EventsService/LogEvent")

    with pytest.raises(grpc.RpcError) as refused:
        call(iter(()), metadata=[("statsig-api-key", server_key)], timeout=10)

    assert refused.value.code() is _INVALID
    assert refused.value.details() == "body: missing, expected a message; send one message in each call"


def test_several_messages_in_one_call_are_invalid_and_none_is_kept(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    call = channel.stream_unary("/sluice.events.v1.EventsService/LogEvent")
    message = pb.LogEventRequest(events=[_event()]).SerializeToString()

    with pytest.raises(grpc.RpcError) as caught:
        call(iter([message, message]), metadata=[("statsig-api-key", server_key)], timeout=10)

    assert caught.value.code() is _INVALID
    assert "expected one message" in caught.value.details()
    assert server.log.entries == []


@pytest.mark.parametrize("message", [b"\xff\xff", b"\x0a\x05ab"])
def test_bytes_that_are_no_message_are_invalid(channel: grpc.Channel, server_key: str, message: bytes) -> None:
    for service in ("EventsService", "HttpEventsService"):
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(f"/sluice.events.v1.{service}/LogEvent")(
                message, metadata=[("statsig-api-key", server_key)], timeout=10
            )
        assert refused.value.code() is _INVALID


def test_a_log_that_takes_nothing_is_unavailable_and_nothing_is_acknowledged(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    server.log.refuses = True

    answer = rest(channel, _GOOD, ("statsig-api-key", server_key), _TIME)

    assert answer.code is _UNAVAILABLE
    assert answer.message == "the log can't take events now; send the batch again later"
    assert answer.details.endswith(b"\x78\xf7\x03")


def test_what_a_native_caller_may_send_again_grpc_itself_sends_again(server: IngestServer, server_key: str) -> None:
    server.log.refuses_so_many = 2
    request = pb.LogEventRequest(events=[_event()])

    with server.channel(("grpc.service_config", RETRIES)) as channel:
        answer = native(channel, request, ("statsig-api-key", server_key))

    assert answer.code is grpc.StatusCode.OK
    assert server.log.refuses_so_many < 0
    assert len(server.log.entries) == 1


def test_a_native_error_has_its_request_id_in_the_initial_metadata_or_if_unavailable_in_the_trailers(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    stub, metadata = services.EventsServiceStub(channel), [("statsig-api-key", server_key)]
    server.log.refuses = True

    with pytest.raises(grpc.RpcError) as invalid:
        stub.LogEvent(pb.LogEventRequest(events=[pb.Event()]), metadata=metadata, timeout=20)
    with pytest.raises(grpc.RpcError) as unavailable:
        stub.LogEvent(pb.LogEventRequest(events=[_event()]), metadata=metadata, timeout=20)

    assert uuid.UUID(dict(invalid.value.initial_metadata())["x-request-id"]).version == 7
    assert uuid.UUID(dict(unavailable.value.trailing_metadata())["x-request-id"]).version == 7
    assert not unavailable.value.initial_metadata()


def test_what_is_not_admitted_is_unavailable_and_admitted_again_later(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    large = _GOOD + b" " * 1_000_000
    metadata = [("statsig-api-key", server_key), _TIME, ("x-envoy-original-path", "/v1/log_event")]
    call = channel.unary_unary("/sluice.events.v1.HttpEventsService/LogEvent")
    message = HttpBody(data=large).SerializeToString()
    server.log.holds.set()

    futures = [call.future(message, metadata=metadata, timeout=20) for _ in range(12)]
    wait_until(lambda: sum(future.done() for future in futures) >= 4)
    refused = [future.code() for future in futures if future.done()]
    server.log.holds.clear()
    accepted = [future.code() for future in futures if future.code() is grpc.StatusCode.OK]

    assert set(refused) == {_UNAVAILABLE}
    assert len(accepted) + len(refused) == 12
    assert len(accepted) == server.config.in_flight_bytes // len(large)
    assert rest(channel, large, *metadata[:2]).code is grpc.StatusCode.OK


def test_a_message_of_very_many_events_keeps_no_other_waiting(channel: grpc.Channel, server_key: str) -> None:
    key = ("statsig-api-key", server_key)
    call = channel.stream_unary("/sluice.events.v1.EventsService/LogEvent")
    no_events = b"\x0a\x00" * (500 * 1024)

    large = call.future(iter([no_events]), metadata=[key], timeout=60)
    answered_meanwhile = 0
    while not large.done():
        assert rest(channel, _GOOD, key, _TIME).code is grpc.StatusCode.OK
        answered_meanwhile += 1

    assert large.code() is _INVALID
    assert "(512000 of 512000 events are invalid; none was accepted:" in large.details()
    assert answered_meanwhile > 5


def test_health_follows_the_log(server: IngestServer, channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)

    def status(service: str) -> int:
        return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status

    for service in ("", "sluice.events.v1.EventsService"):
        server.log.healthy = True
        wait_until(lambda service=service: status(service) == health_pb2.HealthCheckResponse.SERVING)
        server.log.healthy = False
        wait_until(lambda service=service: status(service) == health_pb2.HealthCheckResponse.NOT_SERVING)


def test_reflection_shows_the_events_service_alone(server: IngestServer) -> None:
    with server.channel(tools=True) as tools:
        names = list(ProtoReflectionDescriptorDatabase(tools).get_services())

    assert names == ["sluice.events.v1.EventsService"]


def test_a_new_key_is_taken_while_the_worker_runs(server: IngestServer, channel: grpc.Channel) -> None:
    _, secret = KeyFile(Path(server.config.data_dir) / "keys.json").create(kind=Kind.SERVER)

    wait_until(lambda: rest(channel, _GOOD, ("statsig-api-key", secret), _TIME).code is grpc.StatusCode.OK, within_s=5)


def test_the_socket_is_for_its_user_and_group_whatever_the_umask_is(tmp_path: Path) -> None:
    KeyFile(tmp_path / "keys.json").create(kind=Kind.SERVER)
    before = os.umask(0o077)
    try:
        server = IngestServer(tmp_path)
    finally:
        os.umask(before)
    try:
        wait_until(lambda: Path(server.config.socket).stat().st_mode & 0o777 == 0o660)
    finally:
        server.close()
