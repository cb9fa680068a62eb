"""The client's clock: in a header, else in the query, else in the body."""

import grpc
import pytest

from sluice.events.v1 import events_pb2 as pb
from tests.support.ingest_server import IngestServer, native, rest, typed

_EXPECTED = "expected integer (ms since epoch), got"
_MEND = "; send the client's clock as clientTime in the body, or in a header"
_MISSING = (
    "STATSIG-CLIENT-TIME: missing, expected integer (ms since epoch); send the client's clock in this header, or as t "
    "in the query"
)


def _body(client_time: str) -> bytes:
    return b'{"clientTime":%s,"events":[{"user":{},"eventName":"e","time":1}]}' % client_time.encode()


@pytest.mark.parametrize("sent", ['"1767225600000"', "1767225600000", "1767225600000.0", '" 1767225600000 "'])
def test_a_beacon_that_tells_it_in_its_body_is_accepted(
    server: IngestServer, channel: grpc.Channel, client_key: str, sent: str
) -> None:
    answer = rest(channel, _body(sent), path=f"/v1/rgstr_b?k={client_key}")

    assert answer.code is grpc.StatusCode.OK
    [entry] = server.log.entries
    assert (entry.client_time_ms, entry.body) == (1767225600000, _body(sent))


def test_the_header_goes_before_the_query_and_the_query_before_the_body(
    server: IngestServer, channel: grpc.Channel, client_key: str
) -> None:
    for query, headers in (("&t=2", [("statsig-client-time", "1")]), ("&t=2", []), ("", [])):
        rest(channel, _body("3"), *headers, path=f"/v1/log_event?k={client_key}{query}")

    assert [entry.client_time_ms for entry in server.log.entries] == [1, 2, 3]


def test_what_stands_in_the_body_is_not_looked_at_where_the_query_tells_it(
    server: IngestServer, channel: grpc.Channel, client_key: str
) -> None:
    answer = rest(channel, _body('"soon"'), path=f"/v1/rgstr?k={client_key}&t=2")

    assert answer.code is grpc.StatusCode.OK
    assert server.log.entries[0].client_time_ms == 2


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ('"soon"', f"clientTime: {_EXPECTED} another text{_MEND}"),
        ("1.5", f"clientTime: {_EXPECTED} another value{_MEND}"),
        ("true", f"clientTime: {_EXPECTED} another value{_MEND}"),
        ("[]", f"clientTime: {_EXPECTED} another value{_MEND}"),
        ("9223372036854775808", f"clientTime: {_EXPECTED} number beyond 64 bits{_MEND}"),
        ('"' + "1" * 5000 + '"', f"clientTime: {_EXPECTED} another text{_MEND}"),
        ("1" * 5000, f"clientTime: {_EXPECTED} another text{_MEND}"),
        ("null", _MISSING),
        ('""', _MISSING),
    ],
)
def test_one_that_cannot_be_read_is_refused_by_its_name(
    server: IngestServer, channel: grpc.Channel, client_key: str, sent: str, said: str
) -> None:
    answer = rest(channel, _body(sent), path=f"/v1/rgstr_b?k={client_key}")

    assert (answer.code, answer.message) == (grpc.StatusCode.INVALID_ARGUMENT, said)
    assert server.log.entries == []


def test_a_typed_message_may_tell_it_too(server: IngestServer, channel: grpc.Channel, server_key: str) -> None:
    request = pb.LogEventRequest(events=[pb.Event(event_name="e", user=pb.User(), time=1)], client_time=7)

    answers = [
        native(channel, request, ("statsig-api-key", server_key)),
        typed(channel, request, ("statsig-api-key", server_key)),
        typed(channel, request, ("statsig-api-key", server_key), ("statsig-client-time", "8")),
    ]

    assert [answer.code for answer in answers] == [grpc.StatusCode.OK] * 3
    assert [entry.client_time_ms for entry in server.log.entries] == [7, 7, 8]
