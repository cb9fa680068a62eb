"""The compiled pass over protobuf bodies makes of one what the plain decoder makes of it, or leaves it to that one."""

import json
import math
import struct
from random import Random

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.events import bodies as of_the_bench
from sluice.events.v1 import events_pb2 as api
from sluice.lake import decode_proto
from sluice.lake.fields import UndecodableBody
from sluice.lake.native import scanned
from sluice.native.found import MAX_IDS
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.compiled import read_messages
from tests.support.generated import many_bodies
from tests.support.lake_log import record


def _message(body: str) -> bytes:
    return json_format.Parse(body, api.LogEventRequest()).SerializeToString(deterministic=True)


def _event(members: str) -> bytes:
    return _message(f'{{"events":[{{"eventName":"e",{members}}}]}}')


def _of_any(body: bytes) -> bytes | None:
    try:
        return json_format.Parse(body, api.LogEventRequest(), ignore_unknown_fields=True).SerializeToString(
            deterministic=True
        )
    except (json_format.ParseError, UnicodeDecodeError, ValueError):
        return None


def _is_message(body: bytes) -> bool:
    try:
        api.LogEventRequest.FromString(body)
    except DecodeError:
        return False
    return True


def _damaged(body: bytes, seed: int) -> bytes:
    random = Random(seed)
    damaged = bytearray(body)
    for _ in range(random.choice([1, 1, 2, 8])):
        at = random.randrange(len(damaged) + 1)
        damaged[at : at + random.choice([0, 0, 1, 3])] = random.choice([b"", random.randbytes(1), b"\x00", b"\xff"])
    return bytes(damaged)


@given(many_bodies("/log_event", 20), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_message_is_read_as_the_plain_decoder_reads_it_or_not_at_all(bodies: list[bytes], seed: int) -> None:
    messages = [message for body in bodies if (message := _of_any(body)) is not None]
    read_messages(messages)
    read_messages([_damaged(message, seed + number) for number, message in enumerate(messages)])


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, 2**16))
@settings(max_examples=200, deadline=None)
def test_any_bytes_between_good_messages_leave_these_as_they_are(others: list[bytes], seed: int) -> None:
    good = of_the_bench(6, batch=2, seed=seed, typed=True).bodies
    mixed = [body for other in [*others, b""] for body in (*good, _damaged(good[0], seed), other)]

    found = read_messages(mixed)

    # A statsigMetadata that is none leaves all to the plain decoder.
    is_left = not found and not all(map(_is_message, mixed))
    assert is_left or {index for index, body in enumerate(mixed) if body in good} <= set(found)


def test_what_servers_send_is_read() -> None:
    bodies = of_the_bench(500, batch=20, seed=7, typed=True).bodies

    assert read_messages(bodies) == list(range(len(bodies)))


@given(st.floats())
@example(0.1)
@example(-0.0)
@example(5e-324)
@example(1e15)
@example(2.0**53)
@example(123456789012345.6)
@example(0.0001)
@example(0.00001)
@example(0.30000000000000004)
def test_a_number_has_its_shortest_text_or_is_left_to_the_plain_decoder(number: float) -> None:
    request = api.LogEventRequest()
    event = request.events.add(event_name="e")
    event.metadata["a"] = number
    event.value.number_value = number

    if math.isfinite(number):
        read_messages([request.SerializeToString(deterministic=True)])
    else:
        assert scanned.decode_messages([request.SerializeToString(deterministic=True)], 10) == ([], None)


@given(st.integers(-(10**10), 10**10), st.integers(0, 4))
def test_a_number_that_people_write_is_read(digits: int, behind_the_point: int) -> None:
    request = api.LogEventRequest()
    request.events.add(event_name="e").metadata["price"] = digits / 10**behind_the_point

    assert read_messages([request.SerializeToString(deterministic=True)]) == [0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        _message('{"events":[{}]}'),
        _message('{"events":[{"eventName":"","time":"-9223372036854775808","eventID":"\\u00e9"}]}'),
        _message(
            '{"events":[],"statsigMetadata":{"sdkType":"x","sessionID":"\\u0001"},"idempotencyKey":"k","clientTime":5}'
        ),
        _message('{"events":[{"eventName":"e"}],"statsigMetadata":{}}'),
        *(_event(f'"value":{value}') for value in ("null", "0", "1.5", "-0.0", "1e300", '""', '"12"', '"1e5"', '"x"')),
        *(_event(f'"metadata":{text}') for text in ("{}", '{"b":1,"a":2,"":3}', '{"a":null,"b":[true,false,[],{}]}')),
        _event(
            '"metadata":{"\\u20ac\\"\\\\\\n\\u0000\\u001f\\u007f":"\\b\\f\\r\\t/","deep":{"z":{"y":[[1],{"x":"w"}]}}}'
        ),
        _event('"metadata":{"a\\ud83d\\ude00":1,"a\\uffff":2,"a":3,"ab":4}'),
        _event('"secondaryExposures":[{"gate":"g"},{},{"b":1,"a":[2]}],"metadata":{"x":1}'),
        *(
            _event(f'"user":{user}')
            for user in ("{}", '{"userID":"","custom":{}}', '{"statsigEnvironment":{"tier":"t"}}')
        ),
        _event('"user":{"customIDs":{"b":"2","a":"1","StableID":"x","STABLEID":"y"},"ip":"1","country":"DE"}'),
        _event(
            '"user":{"customIDs":{"stableID":"","x":"\\u00e9"},"email":"e","userAgent":"a","locale":"l","appVersion":"1"}'
        ),
    ],
)
def test_a_message_of_a_known_form_is_read(body: bytes) -> None:
    assert read_messages([body]) == [0]


_NAMED = _event('"time":"1"')


@pytest.mark.parametrize(
    "body",
    [
        _message('{"events":[{"eventName":"e"}],"user":{"userID":"u"}}'),
        _message('{"events":[]}') + b"\x7a\x01x",  # a field that nobody knows
        _NAMED[:-1],
        _NAMED + b"\x0a",
        _NAMED + b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        _NAMED + b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        _NAMED + b"\x00",
        _NAMED + b"\x0b\x0c",  # a group
        _NAMED + b"\x9a\x80\x80\x80\x80\x00\x01k",  # a tag of six bytes
        _NAMED + b"\x1a\x81\x80\x80\x80\x80\x00k",  # a length of six
        _message('{"idempotencyKey":"k"}') * 2,
        _message('{"statsigMetadata":{"sdkType":"k"}}') * 2,
        _message('{"idempotencyKey":"k"}').replace(b"k", b"\xff"),
        *(
            _event(f'"eventID":"{text}"').replace(text.encode(), bad)
            for text, bad in [("abc", b"\xed\xa0\x80"), ("ab", b"\xc0\x80")]
        ),
        *(
            _event('"eventID":"abcd"').replace(b"abcd", bad)
            for bad in (b"\xf4\x90\x80\x80", b"\xf0\x8f\x80\x80", b"abc\xc3")
        ),
        _event('"value":{"a":1}'),
        _event('"value":true'),
        _event('"metadata":{"a":"xyz"}').replace(b"xyz", b"x\xffz"),
        _event('"user":{"customIDs":{"a":"1"}}').replace(b"\x0a\x01a\x12\x011", b"\x12\x011\x0a\x01a"),
        _event('"user":' + json.dumps({"customIDs": {str(n): "x" for n in range(MAX_IDS + 1)}})),
        _event('"metadata":' + json.dumps({str(n): 1 for n in range(65)})),
        _event('"metadata":{"a":' + "[" * 40 + "1" + "]" * 40 + "}"),
        b"\x0a\x08\x22\x09\x11" + struct.pack("<d", math.nan),
    ],
)
def test_what_it_does_not_understand_it_leaves_whole_and_the_messages_around_it_are_read(body: bytes) -> None:
    good = _event('"user":{"userID":"u","customIDs":{"a":"b"},"custom":{"c":1}},"value":1,"metadata":{"d":"e"}')

    assert read_messages([body]) == []
    assert read_messages([good, body, good]) == [0, 2]


def test_a_message_whose_metadata_are_none_is_found_by_the_plain_decoder() -> None:
    bad = _message('{"statsigMetadata":{"sdkType":"abc"}}').replace(b"abc", b"a\xffc")

    assert scanned.decode_messages([_NAMED, bad], 10) == ([], None)
    with pytest.raises(UndecodableBody):
        list(decode_proto.decode([record(bad, body_format=storage.BODY_FORMAT_LOG_EVENT_REQUEST)]))
