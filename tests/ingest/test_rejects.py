"""What is kept of refused requests: of known keys alone, without privateAttributes, within bounds, never waited for."""

import gzip
import hashlib
import json

import grpc
import pytest

from sluice.contract import Source
from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.rejects import HourBudget
from sluice.log.ports import Body
from sluice.log.refused import RejectReason
from tests.support.ingest_server import IngestServer, native, rest
from tests.support.metrics import counted
from tests.support.waiting import wait_until

_TIME = ("statsig-client-time", "1767225600000")
_BAD = b'{"events":[{"user":{"userID":"u1"},"eventName":"bought","time":"soon"},{"eventName":"e","time":1,"user":{}}]}'


def _key(secret: str) -> tuple[str, str]:
    return ("statsig-api-key", secret)


def test_a_refused_body_that_parses_is_kept_with_what_is_wrong(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    answer = rest(channel, _BAD, _key(server_key), _TIME, ("statsig-sdk-type", "py-server"))

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    entry = server.refused.only()
    assert entry.reason is RejectReason.INVALID_EVENTS
    assert (entry.source, entry.body, entry.body_format) == (Source.SDK, _BAD, Body.JSON)
    assert (entry.body_bytes, entry.body_sha256) == (len(_BAD), hashlib.sha256(_BAD).digest())
    assert (entry.event_count, entry.invalid_event_count, entry.client_time_ms) == (2, 1, 1767225600000)
    assert (entry.sdk_type, entry.project, entry.fault_offset) == ("py-server", "default", None)
    [error] = json.loads(entry.errors)
    assert error["path"] == "events[0].time"
    assert error["found"] == "string that is no ISO-8601 time"
    assert server.log.entries == []


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        pytest.param(b'{"events":[', 11, id="cut off"),
        pytest.param(b'{"a":"\xff"}', 6, id="not UTF-8"),
        pytest.param(b"", 0, id="empty"),
        pytest.param(b'{"a":1}}', 7, id="something behind it"),
        pytest.param(b"[" * 600 + b"]" * 600, 500, id="nested too deep"),
    ],
)
def test_of_a_body_that_does_not_parse_only_length_hash_and_offset_are_kept(
    server: IngestServer, channel: grpc.Channel, server_key: str, body: bytes, offset: int
) -> None:
    rest(channel, body, _key(server_key), _TIME)

    entry = server.refused.only()
    assert (entry.reason, entry.body, entry.fault_offset) == (RejectReason.INVALID_REQUEST, None, offset)
    assert (entry.body_bytes, entry.body_sha256) == (len(body), hashlib.sha256(body).digest())


def test_a_body_without_client_time_is_kept(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    body = b'{"events":[]}'
    rest(channel, body, _key(server_key))

    entry = server.refused.only()
    assert (entry.body, entry.client_time_ms) == (body, None)
    assert json.loads(entry.errors)[0]["path"] == "STATSIG-CLIENT-TIME"


def test_of_a_body_that_unpacks_to_too_much_no_byte_is_kept(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    packed = gzip.compress(b'{"x":"' + b"a" * server.config.max_body_bytes + b'"}')
    answer = rest(channel, packed, _key(server_key), _TIME, ("content-encoding", "gzip"))

    assert answer.code is grpc.StatusCode.OUT_OF_RANGE
    entry = server.refused.only()
    assert (entry.reason, entry.body, entry.body_bytes) == (RejectReason.TOO_LARGE, None, len(packed))
    assert entry.body_sha256 == hashlib.sha256(packed).digest()
    assert str(server.config.max_body_bytes) in entry.errors


def test_of_a_packed_body_that_is_broken_no_byte_is_kept(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    rest(channel, gzip.compress(_BAD)[:-5], _key(server_key), _TIME, ("content-encoding", "gzip"))

    assert server.refused.only().body is None


def test_a_native_message_is_kept_as_its_bytes(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    request = pb.LogEventRequest(events=[pb.Event(event_name="e")])
    native(channel, request, _key(server_key))

    entry = server.refused.only()
    assert (entry.source, entry.body_format) == (Source.GRPC, Body.LOG_EVENT_REQUEST)
    assert entry.body == request.SerializeToString()


@pytest.mark.parametrize("secret", ["", "secret-unknown-key"])
def test_what_comes_without_a_known_key_is_not_kept(server: IngestServer, channel: grpc.Channel, secret: str) -> None:
    rest(channel, _BAD, _key(secret), _TIME)
    packed = gzip.compress(b" " * (server.config.max_body_bytes + 1))
    rest(channel, packed, _key(secret), _TIME, ("content-encoding", "gzip"))

    server.close()

    assert server.refused.entries == []


def test_a_key_that_does_not_open_the_door_keeps_nothing(
    server: IngestServer, channel: grpc.Channel, client_key: str
) -> None:
    answer = rest(channel, b"{}", _key(client_key), method="ReceiveWebhookEvent")

    server.close()

    assert answer.code is grpc.StatusCode.UNAUTHENTICATED
    assert server.refused.entries == []


def test_private_attributes_are_cut_wherever_they_stand_in_a_refused_body(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    secret = '"private\\u0041ttributes":{"ssn":"078-05-1120"}'
    body = (
        f'{{"events":{{"user":{{{secret},"userID":"u"}}}},"users":[{{"a":1,{secret}}}],'
        f'"privateAttributes":["078-05-1120"],"text":"\\"privateAttributes\\":1"}}'
    ).encode()
    rest(channel, body, _key(server_key), _TIME)

    entry = server.refused.only()
    assert entry.body == b'{"events":{"user":{"userID":"u"}},"users":[{"a":1}],"text":"\\"privateAttributes\\":1"}'
    assert entry.body_sha256 == hashlib.sha256(entry.body).digest()
    assert "078" not in entry.errors


def test_a_log_that_refuses_changes_no_answer(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    before = counted("sluice_rejects_dropped_total", reason="log_unavailable")
    server.refused.refuses = True
    refused = rest(channel, _BAD, _key(server_key), _TIME)
    wait_until(lambda: counted("sluice_rejects_dropped_total", reason="log_unavailable") == before + 1)

    accepted = rest(channel, b'{"events":[{"user":{},"eventName":"e","time":1}]}', _key(server_key), _TIME)

    assert (refused.code, accepted.code) == (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OK)


def test_what_is_beyond_the_budget_of_the_hour_is_counted_and_not_kept(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    before = counted("sluice_rejects_dropped_total", reason="hour_budget")
    server.budget.limit_bytes = 2000
    body = b'{"events":"' + b"x" * 1500 + b'"}'
    rest(channel, body, _key(server_key), _TIME)
    server.refused.only()

    for _ in range(3):
        rest(channel, body, _key(server_key), _TIME)

    assert counted("sluice_rejects_dropped_total", reason="hour_budget") == before + 3
    assert len(server.refused.entries) == 1


def test_what_would_wait_beyond_its_bound_is_counted_and_not_kept(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    before = counted("sluice_rejects_dropped_total", reason="queue_full")
    server.refused.holds.set()
    body = b'{"events":"' + b"x" * 900_000 + b'"}'
    for _ in range(4):
        assert rest(channel, body, _key(server_key), _TIME).code is grpc.StatusCode.INVALID_ARGUMENT

    assert counted("sluice_rejects_dropped_total", reason="queue_full") == before + 2
    server.refused.holds.clear()
    wait_until(lambda: len(server.refused.entries) == 2)


def test_what_could_not_be_kept_takes_nothing_of_the_hours_budget(
    server: IngestServer, channel: grpc.Channel, server_key: str
) -> None:
    server.budget.limit_bytes = 2000
    server.refused.refuses = True
    for _ in range(20):
        before = counted("sluice_rejects_dropped_total", reason="log_unavailable")
        rest(channel, _BAD, _key(server_key), _TIME)
        wait_until(lambda before=before: counted("sluice_rejects_dropped_total", reason="log_unavailable") > before)
    server.refused.refuses = False
    rest(channel, _BAD, _key(server_key), _TIME)

    server.refused.only()


def test_each_hour_of_the_clock_has_a_budget_of_its_own() -> None:
    now = [3_599.0]
    budget = HourBudget(100, clock=lambda: now[0])

    assert budget.take(60)
    assert not budget.take(60)
    now[0] = 3_600.0
    assert budget.take(60)
    assert not budget.has(41)
