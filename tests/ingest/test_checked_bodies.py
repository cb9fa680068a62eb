"""The compiled check takes nothing that the plain one does not take, and most of what is sent."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.events import bodies as of_the_bench
from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.compiled_check import MOST_BYTES
from tests.support.checked import is_sure_of_json, is_sure_of_message
from tests.support.generated import many_bodies

_EXAMPLES = int(os.environ.get("SLUICE_TEST_BODIES_CHECKED", "500"))
_SDK = Path(__file__).parents[1] / "fixtures/sdk"


def _body(event: str = "", **said: object) -> bytes:
    about = "".join(f',"{name}":{json.dumps(value)}' for name, value in said.items())
    return f'{{"events":[{{"eventName":"e","user":{{}},"time":1{event}}}]{about}}}'.encode()


def _message(event: dict[str, Any] | None = None, **said: object) -> bytes:
    good = {"eventName": "e", "user": {"userID": "u"}, "time": 1}
    request = {"events": [good | (event or {})]} | said
    return json_format.ParseDict(request, pb.LogEventRequest()).SerializeToString()


@given(many_bodies("/log_event", 20))
@settings(max_examples=_EXAMPLES // 8, deadline=None)
def test_of_any_bodies_it_takes_none_that_the_plain_check_refuses(bodies: list[bytes]) -> None:
    for body in bodies:
        is_sure_of_json(body)


@given(body=st.integers(0, 19), at=st.floats(0, 1), cut=st.integers(0, 3), put=st.binary(max_size=3))
@settings(max_examples=_EXAMPLES, deadline=None)
@pytest.mark.parametrize("typed", [False, True], ids=["json", "protobuf"])
def test_nor_where_some_bytes_of_a_good_one_are_others(typed: bool, body: int, at: float, cut: int, put: bytes) -> None:
    good = of_the_bench(40, batch=2, seed=1, typed=typed).bodies[body]
    place = int(at * len(good))
    changed = good[:place] + put + good[place + cut :]

    if typed:
        is_sure_of_message(changed)
    else:
        is_sure_of_json(changed)


@pytest.mark.parametrize(("typed", "is_sure"), [(False, is_sure_of_json), (True, is_sure_of_message)])
def test_what_benches_send_it_takes(typed: bool, is_sure: Callable[[bytes], bool]) -> None:
    assert all(is_sure(body) for body in of_the_bench(500, batch=20, seed=7, typed=typed).bodies)


def test_most_of_what_real_sdks_sent_it_takes() -> None:
    posts = [json.loads(line) for file in sorted(_SDK.glob("*.jsonl")) for line in file.read_text().splitlines()]
    bodies = [post["body"].encode() for post in posts if "/v1/log_event" in post["line"] or "/v1/rgstr" in post["line"]]
    assert len(bodies) >= 4

    assert sum(map(is_sure_of_json, bodies)) > len(bodies) / 2


@pytest.mark.parametrize(
    "body",
    [
        _body(),
        _body(',"value":null,"metadata":null,"secondaryExposures":[],"eventID":"i","statsigMetadata":7'),
        _body(',"value":1.5,"metadata":{"a":[{"b":[]}]}'),
        _body(',"value":"1e400"'),
        _body(',"value":"a\\n\u00e9"'),
        _body(',"metadata":{"\u00e9":"\U0001f600"}'),
        _body(statsigMetadata={"sdkType": None, "sdkVersion": "1", "sessionID": "s", "stableID": "t", "more": [1]}),
        _body(user=None, idempotencyKey="k", clientTime=5),
        b'{"events":[]}',
        b' {"events" : [ { "time" : -5 , "user" : null , "eventName" : "" } ] } ',
    ],
)
def test_json_that_it_takes(body: bytes) -> None:
    assert is_sure_of_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"events":null}',
        b'{"events":[{"eventName":"e","time":1}]}',
        b'{"events":[{"eventName":"e","user":{}}]}',
        b'{"events":[{"user":{},"time":1}]}',
        b'{"events":[{"eventName":null,"user":{},"time":1}]}',
        b'{"events":[{"eventName":"e","user":{},"time":null}]}',
        b'{"events":[{"eventName":"e","user":{},"time":"1"}]}',
        b'{"events":[{"eventName":"e","user":{},"time":1.0}]}',
        b'{"events":[{"eventName":"e","user":{},"time":1234567890123456789}]}',
        b'{"events":[{"eventName":"statsig::x","time":1}]}',
        _body(',"value":true'),
        _body(',"value":{}'),
        _body(',"value":1e400'),
        _body(',"value":01'),
        _body(',"metadata":[]'),
        _body(',"metadata":"x"'),
        _body(',"else":1'),
        _body(',"event\\u004eame":"f"'),
        _body(',"time":2'),
        _body(',"user":{"privateAttributes":{}}'),
        _body(',"metadata":{"a":"\\ud800"}'),
        _body(',"metadata":{"a":' + "[" * 70 + "]" * 70 + "}"),
        _body().replace(b"{}", b'{"custom":[]}'),
        _body().replace(b"{}", b'{"privateAttributes":{}}'),
        _body().replace(b"{}", b'{"private\\u0041ttributes":{}}'),
        _body().replace(b"{}", b'{"customIDs":{"a":1}}'),
        _body().replace(b"{}", b'{"userID":1}'),
        _body(user={"userID": "u"}),
        _body(event="e"),
        _body(statsigMetadata={"sdkType": 1}),
        _body(statsigMetadata={"stableID": []}),
        _body(statsigMetadata=[]),
        _body(statsigMetadata={}).replace(b'"statsigMetadata":{}', b'"statsigMetadata":{"sdk\\u0054ype":1}'),
        _body()[:-1],
        _body() + b"x",
        _body() + b"\0",
        _body().replace(b"e", b"\xff", 1),
        _body(',"metadata":{"a":"') + b'\xc3"}}]}',
        _body(',"secondaryExposures":"\xc3\x28"').replace(b"\xc3\x83", b"\xc3"),
    ],
)
def test_json_that_is_left_to_the_plain_check(body: bytes) -> None:
    assert not is_sure_of_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        _message(),
        _message({"value": None}),
        _message({"value": "x", "metadata": {"a": [1, None, {"b": True}]}, "secondaryExposures": [{"gate": "g"}]}),
        _message(clientTime=-5, idempotencyKey="k", statsigMetadata={"sdkType": "t", "stableID": "s"}),
        # The last one counts.
        _message(clientTime=1) + b"\x28\x07",
    ],
)
def test_messages_that_it_takes(body: bytes) -> None:
    assert is_sure_of_message(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        _message(user={"userID": "u"}),
        _message({"eventName": None}),
        _message({"user": None}),
        _message({"value": True}),
        _message({"value": []}),
        # An unknown field, of the request, the event and statsigMetadata; and NaN.
        _message() + b"\x48\x01",
        _message(statsigMetadata={"sdkType": "t"}).replace(b"\x12\x03\x0a\x01t", b"\x12\x03\x2a\x01t"),
        _message(statsigMetadata={"sdkType": "t"}).replace(b"\x01t", b"\x01\xff"),
        pb.LogEventRequest(
            events=[pb.Event(event_name="e", user=pb.User(), value={"number_value": float("nan")})]
        ).SerializeToString(),
        _message().replace(b"\x01e", b"\x01\xff"),
        _message({"metadata": {"a": "b"}}).replace(b"\x01a", b"\x01\xff"),
    ],
)
def test_messages_that_are_left_to_the_plain_check(body: bytes) -> None:
    assert not is_sure_of_message(body)


def test_what_an_earlier_body_left_is_no_part_of_a_later_one() -> None:
    long, short = _body(statsigMetadata={"sdkType": "x" * 5_000}), _body()
    assert is_sure_of_json(long)

    assert not is_sure_of_json(short[:-3])
    assert is_sure_of_json(short)


def test_a_body_as_large_as_its_room_is_taken() -> None:
    assert is_sure_of_json(_body(statsigMetadata={"sdkType": "x" * (MOST_BYTES - len(_body()) - 32)}).ljust(MOST_BYTES))
