"""The compiled pass over JSON bodies makes of a body what the plain decoder makes of it, or leaves it to that one."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.events import bodies as of_the_bench
from sluice.lake.native import scanned
from sluice.native.found import MAX_IDS
from tests.support.compiled import read_json
from tests.support.generated import many_bodies

_FIXTURES = Path(__file__).parents[2] / "fixtures"


def _event(**members: object) -> str:
    return json.dumps({"eventName": "e"} | members)


def _body(*events: str, **said: object) -> bytes:
    about = "".join(f',"{name}":{json.dumps(value)}' for name, value in said.items())
    return f'{{"events":[{",".join(events)}]{about}}}'.encode()


def _with_value(text: str) -> bytes:
    return _body(f'{{"eventName":"e","value":{text}}}')


def _with_user(text: str) -> bytes:
    return _body(f'{{"eventName":"e","user":{text}}}')


@given(many_bodies("/log_event", 20))
@settings(max_examples=60, deadline=None)
def test_any_body_is_read_as_the_plain_decoder_reads_it_or_not_at_all(bodies: list[bytes]) -> None:
    read_json(bodies)


@given(st.lists(st.text(max_size=40).map(str.encode) | st.binary(max_size=9), max_size=5), st.integers(0, 2**16))
@settings(max_examples=200, deadline=None)
def test_any_bytes_between_good_bodies_leave_these_as_they_are(others: list[bytes], seed: int) -> None:
    good = of_the_bench(6, batch=2, seed=seed, typed=False).bodies
    mixed = [body for other in [*others, b""] for body in (*good, other)]

    found = read_json(mixed)

    all_is_text = all(body == body.decode(errors="ignore").encode() for body in others)
    assert not all_is_text or {index for index, body in enumerate(mixed) if body in good} <= set(found)


def test_what_sdks_and_benches_send_is_read() -> None:
    bodies = of_the_bench(500, batch=20, seed=7, typed=False).bodies

    assert read_json(bodies) == list(range(len(bodies)))


def test_most_of_what_real_sdks_sent_is_read() -> None:
    posts = [
        json.loads(line)
        for file in sorted((_FIXTURES / "sdk").glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    bodies = [post["body"].encode() for post in posts if "/v1/log_event" in post["line"] or "/v1/rgstr" in post["line"]]
    assert len(bodies) >= 4

    assert len(read_json(bodies)) > len(bodies) / 2


@pytest.mark.parametrize(
    "body",
    [
        _body(),
        _body(_event()),
        _body(_event(), statsigMetadata={"sdkType": "x", "sdkVersion": "1", "sessionID": "s", "stableID": "t"}),
        _body(_event(), statsigMetadata={"sdkType": 1}),
        _body(_event(), idempotencyKey='a"\n\u00e9', clientTime=1.5, user=None),
        b' {\t"events" :\r\n[ {"eventName" : "e" , "time": null} , { "eventName":"f"} ] , "statsigMetadata":null } ',
        _body(_event(time=-1), _event(time=0), _event(time=10**18 - 1)),
        *map(_with_value, ["null", "0", "-0", "-0.0", "1.5", "0.1", "123456789012345", "1e5", "1E400", "0.1e-400"]),
        *map(_with_value, ["9007199254740993", "1234567890123456", "0.30000000000000004", "-99999999999999.9"]),
        *map(_with_value, ['""', '"a"', '"1"', '"-0"', '"01"', '"1.5"', '"1."', '"1e5"', '"1e999"', '" 1"', '"-"']),
        *map(_with_value, ['"1\\u0030"', '"\\ud83d\\u0041"', '"9007199254740993"', '"\u00e9"', '"\\/\\b\\f\\n\\r\\t"']),
        *map(_with_user, ["null", "{}", '{"userID":"u","email":null,"custom":{"a":[1,{"b":null}]}}']),
        *map(_with_user, ['{"custom":null}', '{"custom":[]}', '{"custom":"x"}', '{"analyticsOnlyMetadata":{"a":1}}']),
        *map(_with_user, ['{"statsigEnvironment":{}}', '{"statsigEnvironment":{"tier":null}}']),
        *map(_with_user, ['{"statsigEnvironment":{"tier":"dev"}}', '{"statsigEnvironment":null}', '{"ip":"1"}']),
        *map(_with_user, ['{"customIDs":{}}', '{"customIDs":null}', '{"customIDs":{"a":"1","b":"\\u00e9"}}']),
        *map(_with_user, ['{"customIDs":{"stableid":"1","STABLEID":"2"}}', '{"customIDs":{"stableID":"1"}}']),
        _with_user('{"customIDs":{"StableID":"1","stableID":"2","STABLEID":"3"}}'),
        _body(_event(user={"userID": "a", "customIDs": {"x": "1"}}), _event(), _event(user={"customIDs": {"y": "2"}})),
        _body(_event(statsigMetadata={"a": 1}), _event(metadata={"a": "\u20ac"}, secondaryExposures=[{"gate": "g"}])),
        _body(_event(metadata={"deep": json.loads("[" * 40 + "]" * 40)}, eventID="\u00e9\U0001f600")),
    ],
)
def test_a_body_of_a_known_form_is_read(body: bytes) -> None:
    assert read_json([body]) == ([] if b"\\ud83d" in body else [0])


def _exposure(name: str, metadata: str) -> bytes:
    return _body(f'{{"eventName":"statsig::{name}","metadata":{metadata}}}', _event(metadata={"gate": "none"}))


@pytest.mark.parametrize("name", ["gate_exposure", "config_exposure", "layer_exposure", "diagnostics", "gate", "x"])
@pytest.mark.parametrize(
    "metadata",
    [
        "null",
        "{}",
        '{"gate":"g","config":"c","ruleID":"r","reason":"\\u00e9","gateValue":"true","rulePassed":"false"}',
        '{"gate":1,"config":null,"ruleID":true,"reason":{},"gateValue":1,"rulePassed":true}',
        '{"gate":"a","gate":"b","config":"c","config":null,"ruleID":"x","ruleID":2}',
        '{"gateValue":false,"rulePassed":"true","more":[{}],"allocatedExperiment":"x","parameterName":""}',
        '{"gateValue":"tru","rulePassed":"trueX"}',
        '{"gateValue":"true"}',
        '{ "gateValue" : true , "gate" : "\\n" }',
    ],
)
def test_exposures_say_what_they_say_to_the_plain_decoder(name: str, metadata: str) -> None:
    body = _exposure(name, metadata)

    assert read_json([body]) == [0]
    assert scanned.decode_json([body], 10)[1].exposures is not None  # type: ignore[union-attr]  # it was read


@pytest.mark.parametrize("metadata", ['{"ga\\u0074e":"g"}', '{"gateValue":"tru\\u0065"}', "[]"])
def test_exposures_that_are_written_in_another_way_are_left_to_the_plain_decoder(metadata: str) -> None:
    _, decoded = scanned.decode_json([_exposure("gate_exposure", metadata)], 10)

    assert decoded is not None
    assert decoded.exposures is None


@pytest.mark.parametrize(
    "name", ["auto_capture::page_view", "statsig::", "statsig:", "Statsig::x", "", "auto_capture:"]
)
def test_events_are_by_their_names_what_they_are_to_the_plain_decoder(name: str) -> None:
    assert read_json([_body(_event(eventName=name))]) == [0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"events":null}',
        b'{"events":[]',
        b'{"events":[]}x',
        b'{"events":[],}',
        b'{"events":[],"events":[]}',
        _body('{"time":1}'),
        _body('{"eventName":null}'),
        _body('{"eventName":"e","eventName":"f"}'),
        _body('{"event\\u004eame":"e"}'),
        _body('{"eventName":"e","else":1}'),
        _body('{"eventName":"e\n"}'),
        _body('{"eventName":"\\x"}'),
        _body('{"eventName":"\\ud800"}'),
        _body('{"eventName":"e","metadata":{"a":"\\udc00"}}'),
        _body('{"eventName":"e","metadata":{"a":01}}'),
        _body('{"eventName":"e","metadata":{"a":1,}}'),
        _body('{"eventName":"e","metadata":[1 2]}'),
        _body('{"eventName":"e","metadata":tru}'),
        _body('{"eventName":"e","metadata":[}}'),
        _body(_event(metadata=json.loads("[" * 61 + "]" * 61))),
        *(_body(f'{{"eventName":"e","time":{time}}}') for time in ("1.0", "1e3", '"1"', "-", "01", "1" * 19)),
        *map(_with_value, ["true", "{}", "[]", "-", "01", "1.", ".5", "1e", "Infinity"]),
        *map(_with_user, ["1", '"u"', '{"userID":1}', '{"userID":"u","userID":"v"}', '{"more":1}', "[]"]),
        *map(_with_user, ['{"statsigEnvironment":{"tier":1}}', '{"statsigEnvironment":{"x":"y"}}']),
        *map(_with_user, ['{"customIDs":{"a":null}}', '{"customIDs":{"a":1}}', '{"customIDs":{"a":"1","a":"2"}}']),
        _with_user(json.dumps({"customIDs": {str(number): "x" for number in range(MAX_IDS + 1)}})),
        _body(_event(), user={"userID": "u"}),
        _body(_event(), statsigMetadata="x"),
        _body(_event(), more=1),
        _body(_event()).replace(b'"e"', b'"\xff"'),
        _body(_event()) + b"\0",
    ],
)
def test_what_it_does_not_understand_it_leaves_whole_and_the_bodies_around_it_are_read(body: bytes) -> None:
    good = _body(_event(user={"userID": "u", "customIDs": {"a": "b"}}, value=1), idempotencyKey="k")

    assert read_json([body]) == []
    assert read_json([good, body, good]) == ([] if b"\xff" in body else [0, 2])


def test_a_body_with_more_events_than_were_said_is_left() -> None:
    body = _body(_event(), _event(), _event())

    assert scanned.decode_json([body], 2) == ([], None)
    assert scanned.decode_json([_body(_event()), body, _body(_event())], 3)[0] == [0, 2]
