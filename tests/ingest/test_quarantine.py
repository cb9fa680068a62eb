"""A key that asks for it: good events are accepted, bad ones set aside with their reasons, and nothing is lost."""

import json
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.quarantine import parted
from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT
from sluice.keys.key import Kind, OnInvalid
from sluice.keys.key_file import KeyFile
from sluice.log.ports import Body
from sluice.log.refused import RejectReason
from tests.support.ingest_server import IngestServer, native, rest, typed

_TIME = ("statsig-client-time", "1767225600000")
_GOOD = b'{"user":{"userID":"u1"},"eventName":"good","time":1}'
_BAD = b'{ "user":{"userID":"u2"}, "eventName":7, "time":1e99 }'
_NO_EVENT = b'"no event"'


@pytest.fixture
def key(server: IngestServer) -> tuple[str, str]:
    keys = KeyFile(Path(server.config.data_dir) / "keys.json")
    _, secret = keys.create(kind=Kind.SERVER, on_invalid=OnInvalid.QUARANTINE)
    return ("statsig-api-key", secret)


def _body(*events: bytes, after: bytes = b',"statsigMetadata":{"sdkType":"py"}') -> bytes:
    return b'{"idempotencyKey":"i-1","events":[' + b",".join(events) + b"]" + after + b"}"


def test_good_events_are_accepted_and_bad_ones_set_aside_as_they_came(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str]
) -> None:
    answer = rest(channel, _body(_GOOD, _BAD, _GOOD, _NO_EVENT), key, _TIME)

    assert answer.code is grpc.StatusCode.OK
    assert json.loads(answer.body) == {"success": True, "quarantinedEvents": 2}
    [reject] = server.refused.entries
    assert (reject.reason, reject.body) == (RejectReason.QUARANTINED, _body(_BAD, _NO_EVENT))
    assert (reject.event_count, reject.invalid_event_count) == (4, 2)
    paths = [error["path"] for error in json.loads(reject.errors)]
    assert paths == ["events[1].eventName", "events[1].time", "events[3]"]
    [entry] = server.log.entries
    assert entry.request_id == reject.request_id
    assert (entry.body, entry.event_count) == (_body(_GOOD, b"null", _GOOD, b"null"), 4)
    assert entry.quarantined_indices == (1, 3)


def test_where_all_events_are_bad_all_are_set_aside(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str]
) -> None:
    answer = rest(channel, _body(_BAD, _BAD), key, _TIME)

    assert json.loads(answer.body) == {"success": True, "quarantinedEvents": 2}
    assert [reject.body for reject in server.refused.entries] == [_body(_BAD, _BAD)]
    assert server.log.entries == []


def test_a_request_of_good_events_is_accepted_as_it_came(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str]
) -> None:
    answer = rest(channel, _body(_GOOD), key, _TIME)

    assert answer.body == b'{"success":true}'
    assert [entry.body for entry in server.log.entries] == [_body(_GOOD)]
    assert server.refused.entries == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"no JSON", id="not JSON"),
        pytest.param(b"{}", id="events missing"),
        pytest.param(_body(_GOOD, _BAD, after=b',"statsigMetadata":7'), id="the request itself is wrong, too"),
        pytest.param(b'{"events":[' + _GOOD + b'],"events":[' + _BAD + b"]}", id="events twice"),
    ],
)
def test_a_request_that_is_invalid_as_a_whole_is_refused_as_a_whole(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str], body: bytes
) -> None:
    answer = rest(channel, body, key, _TIME)

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert server.log.entries == []
    assert server.refused.only().reason is not RejectReason.QUARANTINED


def test_without_client_time_nothing_is_parted(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str]
) -> None:
    assert rest(channel, _body(_GOOD, _BAD), key).code is grpc.StatusCode.INVALID_ARGUMENT
    assert server.log.entries == []


@pytest.mark.parametrize("why", ["disk", "budget"])
def test_where_bad_events_cannot_be_kept_nothing_is_accepted(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str], why: str
) -> None:
    if why == "disk":
        server.refused.refuses = True
    else:
        server.budget.limit_bytes = 10
    answer = rest(channel, _body(_GOOD, _BAD), key, _TIME)

    assert answer.code is grpc.StatusCode.UNAVAILABLE
    assert server.log.entries == []
    assert rest(channel, _body(_GOOD), key, _TIME).code is grpc.StatusCode.OK


def test_where_good_events_cannot_be_kept_the_caller_is_told(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str]
) -> None:
    server.log.refuses = True

    assert rest(channel, _body(_GOOD, _BAD), key, _TIME).code is grpc.StatusCode.UNAVAILABLE


def test_private_attributes_are_in_neither_part(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str]
) -> None:
    private = b'"privateAttributes":{"ssn":"078-05-1120"}'
    good = b'{"user":{' + private + b'},"eventName":"good","time":1}'
    bad = b'{"user":[{"a":1,' + private + b'}],"eventName":"bad","time":1}'
    rest(channel, _body(good, bad), key, _TIME)

    [reject], [entry] = server.refused.entries, server.log.entries
    assert reject.body == _body(b'{"user":[{"a":1}],"eventName":"bad","time":1}')
    assert entry.body == _body(b'{"user":{},"eventName":"good","time":1}', b"null")


@pytest.mark.parametrize("call", [native, typed], ids=["native gRPC", "typed, of JSON"])
def test_a_typed_message_is_parted_alike(
    server: IngestServer, channel: grpc.Channel, key: tuple[str, str], call: object
) -> None:
    good = pb.Event(event_name="good", user=pb.User(user_id="u1"), time=1)
    bad = pb.Event(event_name="bad", time=1)
    request = pb.LogEventRequest(events=[bad, good], idempotency_key="i-1")
    answer = call(channel, request, key, _TIME)  # type: ignore[operator]  both are such functions

    assert answer.code is grpc.StatusCode.OK
    assert pb.LogEventResponse.FromString(answer.body) == pb.LogEventResponse(success=True, quarantined_events=1)
    [reject], [entry] = server.refused.entries, server.log.entries
    assert reject.body == pb.LogEventRequest(events=[bad], idempotency_key="i-1").SerializeToString()
    assert json.loads(reject.errors)[0]["path"] == "events[0].user"
    assert (entry.body, entry.quarantined_indices) == (request.SerializeToString(), (0,))


def test_a_request_much_of_which_is_beside_its_events_is_refused_rather_than_gone_through_for_each() -> None:
    body = _body(*[_NO_EVENT] * 20_000, after=b',"x":"' + b"y" * 10_000 + b'"')

    assert parted(body, shape=LOG_EVENT, body_format=Body.JSON) is None


def test_custom_exposures_are_parted_alike() -> None:
    good = b'{"user":{"userID":"u1"},"gateName":"g","passes":true,"ruleID":"r"}'
    bad = b'{"user":{"userID":"u2","privateAttributes":{"a":1}},"gateName":"g"}'
    parts = parted(
        b'{"exposures":[' + bad + b"," + good + b"]}", shape=CUSTOM_EXPOSURES, body_format=Body.CUSTOM_EXPOSURES
    )

    assert parts is not None
    assert parts.accepted == b'{"exposures":[null,' + good + b"]}"
    assert parts.set_aside == b'{"exposures":[{"user":{"userID":"u2"},"gateName":"g"}]}'
    assert parts.indices == (0,)
    assert {violation.path.partition(".")[0] for violation in parts.violations} == {"exposures[0]"}


_events = st.lists(
    st.sampled_from([_GOOD, _BAD, _NO_EVENT, b"null", b"[]", b"{}", b'{"user":{},"eventName":"]","time":2}'])
)


@given(_events, st.sampled_from(["", " ", "\n\t"]))
def test_every_event_is_in_one_part_and_in_one_alone(events: list[bytes], space: str) -> None:
    text = f'{{{space}"ev\\u0065nts"{space}:{space}[{space}'.encode()
    body = text + f"{space},{space}".encode().join(events) + f"{space}]{space}}}".encode()
    found = LOG_EVENT.look_closer(body)
    parts = parted(body, shape=LOG_EVENT, body_format=Body.JSON)

    assert parts is not None
    good = [event for index, event in enumerate(events) if index not in parts.indices]
    assert len(parts.indices) == getattr(found, "invalid_events", 0)
    assert json.loads(parts.set_aside)["events"] == [json.loads(events[index]) for index in parts.indices]
    accepted = [] if parts.accepted is None else json.loads(parts.accepted)["events"]
    assert [each for index, each in enumerate(accepted) if index not in parts.indices] == [json.loads(e) for e in good]
