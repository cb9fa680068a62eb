"""What a JSON body may be. The reference is written anew here, in plain Python over parsed pairs."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.ingest.nesting import MAX_DEPTH
from sluice.ingest.validate import LOG_EVENT, WEBHOOK, JsonShape, Unclear, Valid
from sluice.ingest.violations import Invalid


def _validate(body: bytes, shape: JsonShape = LOG_EVENT) -> Valid | Invalid:
    found = shape.check(body)
    return shape.look_closer(body) if isinstance(found, Unclear) else found


def _said(body: str | bytes, shape: JsonShape = LOG_EVENT) -> str:
    found = _validate(body.encode() if isinstance(body, str) else body, shape)
    return found.message(max_bytes=10_000) if isinstance(found, Invalid) else "valid"


def _event(**fields: str) -> str:
    parts = {"user": '{"userID":"u1"}', "eventName": '"e"', "time": "1767225600000", **fields}
    return "{" + ",".join(f'"{name}":{text}' for name, text in parts.items() if text) + "}"


def _one(**fields: str) -> str:
    return f'{{"events":[{_event(**fields)}]}}'


_TIME = "events[0].time: expected integer (ms since epoch), got "
_COUNT = " (1 of 1 events are invalid; none was accepted: mend them or leave them out, and send the rest again)"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("", "body: expected JSON, got an empty body", id="no body"),
        pytest.param('{"events":{}}', "events: expected array, got object", id="events an object"),
        pytest.param("[]", "body: expected object, got array", id="an array"),
        pytest.param("3", "body: expected object, got number", id="a number"),
        pytest.param('{"events":[7]}', "events[0]: expected object, got number" + _COUNT, id="an event a number"),
        pytest.param('{"events":[null]}', "events[0]: expected object, got null" + _COUNT, id="an event null"),
        pytest.param("nonsense", "body: expected JSON, got a character that may not stand at offset 1", id="not JSON"),
        pytest.param(
            '{"events":[{"time":',
            "events[0].time: expected JSON, got the end of the body at offset 19",
            id="truncated",
        ),
        pytest.param(
            '{"events":[]} x', "body: expected JSON, got a character that may not stand at offset 14", id="more behind"
        ),
        pytest.param(
            _one(time="NaN"),
            "events[0].time: expected JSON, got a character that may not stand at offset 58",
            id="time NaN",
        ),
        pytest.param(
            _one(metadata='{"a":"\\ud800"}'),
            "events[0].metadata: expected JSON, got half a surrogate pair at offset 89",
            id="half a surrogate pair where it is skipped",
        ),
        pytest.param(
            _one(eventName='"\\ude00"'),
            "events[0].eventName: expected JSON, got half a surrogate pair at offset 48",
            id="half a surrogate pair in a name",
        ),
        pytest.param(
            _one(metadata="[" * MAX_DEPTH + "]" * MAX_DEPTH),
            "events[0].metadata: expected at most 500 levels of nesting, got a deeper one at offset 580",
            id="too deep",
        ),
        pytest.param(
            _one(time=""), "events[0].time: missing, expected integer (ms since epoch)" + _COUNT, id="time missing"
        ),
        pytest.param(
            _one(time="null"), "events[0].time: missing, expected integer (ms since epoch)" + _COUNT, id="time null"
        ),
        pytest.param(_one(time='"soon"'), f"{_TIME}string that is no ISO-8601 time{_COUNT}", id="time no ISO-8601"),
        pytest.param(_one(time=str(2**63)), f"{_TIME}number beyond 64 bits{_COUNT}", id="time 2^63"),
        pytest.param(_one(time="1e400"), f"{_TIME}number beyond 64 bits{_COUNT}", id="time 1e400"),
        pytest.param(_one(time="9" * 5000), f"{_TIME}number beyond 64 bits{_COUNT}", id="time of 5,000 digits"),
        pytest.param(_one(time="1.5"), f"{_TIME}number with a fraction{_COUNT}", id="time 1.5"),
        pytest.param(_one(time="true"), f"{_TIME}boolean{_COUNT}", id="time true"),
        pytest.param(_one(time="[]"), f"{_TIME}array{_COUNT}", id="time an array"),
        pytest.param(_one(eventName=""), "events[0].eventName: missing, expected string" + _COUNT, id="name missing"),
        pytest.param(_one(eventName="null"), "events[0].eventName: missing, expected string" + _COUNT, id="name null"),
        pytest.param(_one(eventName="7"), "events[0].eventName: expected string, got number" + _COUNT, id="name 7"),
        pytest.param(_one(user=""), "events[0].user: missing, expected object" + _COUNT, id="user missing"),
        pytest.param(_one(user="[]"), "events[0].user: expected object, got array" + _COUNT, id="user an array"),
        pytest.param(
            _one(user='{"userID":true}'),
            "events[0].user.userID: expected string or number, got boolean" + _COUNT,
            id="userID true",
        ),
        pytest.param(
            _one(user='{"email":1}'), "events[0].user.email: expected string, got number" + _COUNT, id="e-mail 1"
        ),
        pytest.param(
            _one(user='{"custom":"c"}'), "events[0].user.custom: expected object, got string" + _COUNT, id="custom text"
        ),
        pytest.param(
            _one(user='{"customIDs":{"a":7}}'),
            "events[0].user.customIDs: expected strings as values, got number" + _COUNT,
            id="custom id 7",
        ),
        pytest.param(
            _one(value="true"), "events[0].value: expected string or number, got boolean" + _COUNT, id="value true"
        ),
        pytest.param(
            _one(metadata='"m"'), "events[0].metadata: expected object, got string" + _COUNT, id="metadata a text"
        ),
        pytest.param(
            '{"events":[{"time":1,"time":1.5,"user":{},"eventName":"e"}]}',
            f"{_TIME}number with a fraction{_COUNT}",
            id="the later of two times",
        ),
        pytest.param(
            '{"events":[{"time":1.5,"time":"2026-01-01","user":{},"eventName":"e"}]}',
            f"{_TIME}number with a fraction{_COUNT}",
            id="the earlier of two times",
        ),
        pytest.param('{"events":[7],"events":[]}', "events[0]: expected object, got number", id="the earlier events"),
    ],
)
def test_what_breaks_the_contract_is_named_by_its_path(body: str, said: str) -> None:
    assert _said(body).startswith(said)
    assert _said(body, WEBHOOK).startswith(said)


@pytest.mark.parametrize("body", ["{}", '{"events":null}'])
def test_a_body_without_events_is_told_what_the_door_takes(body: str) -> None:
    assert _said(body) == 'events: missing, expected array; send {"events":[...]}'
    assert _said(body, WEBHOOK) == (
        "events: expected array, or in its place event, the name of one, got neither; "
        'send {"events":[...]}, or one event as {"event":"...","user":{...}}'
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"events":[]}', id="no events at all"),
        pytest.param(_one(user='{"userID":12345}'), id="a numeric userID, as node legacy sends it"),
        pytest.param(_one(user='{"userID":1e400,"email":null,"custom":null,"customIDs":null}'), id="nulls in a user"),
        pytest.param(_one(user="null"), id="user null, as node sends it"),
        pytest.param(_one(user='{"customIDs":{"a":null}}'), id="a custom id null"),
        pytest.param(_one(user='{"email":"no e-mail"}'), id="an e-mail of any form"),
        pytest.param(_one(user='{"ip":7,"country":[],"statsigEnvironment":"x"}'), id="any type beyond the contract"),
        pytest.param(_one(user="", eventName='"statsig::diagnostics"'), id="diagnostics without user, as Java and Go"),
        pytest.param(_one(time="1767225600000.0"), id="an integral float, as node core writes"),
        pytest.param(_one(time="1.795e12"), id="an integral float with an exponent"),
        pytest.param(_one(time='"2026-01-01T00:00:00Z"'), id="ISO-8601 in UTC"),
        pytest.param(_one(time='"2026-01-01T00:00:00.5+05:30"'), id="ISO-8601 with an offset"),
        pytest.param(_one(time='"2026-01-01"'), id="an ISO-8601 day"),
        pytest.param(_one(time='"1767225600000"'), id="milliseconds as text, as the documents have it"),
        pytest.param(_one(time="0"), id="time 0"),
        pytest.param(_one(time=str(-(2**63))), id="the least int64"),
        pytest.param(_one(time=str(2**63 - 1)), id="the largest int64"),
        pytest.param(_one(eventName='""'), id="an empty name"),
        pytest.param(_one(value="1e400"), id="a value beyond a double"),
        pytest.param(_one(value="9" * 5000), id="a value of 5,000 digits"),
        pytest.param(_one(value='""'), id="an empty value, as Go sends it"),
        pytest.param(_one(value="null", metadata="null"), id="nulls, as the cores send them"),
        pytest.param(_one(metadata='{"a":1e400}'), id="a number beyond a double in metadata"),
        pytest.param(_one(metadata='{"a":"\\ud83d\\ude00 \\\\ud800"}'), id="a whole surrogate pair"),
        pytest.param(_one(statsigMetadata='"x"', secondaryExposures="7", unknown="[[]]"), id="fields beyond"),
        pytest.param(
            '{"events":[],"user":null,"idempotencyKey":7,"statsigMetadata":null,"clientTime":[]}',
            id="request fields beyond",
        ),
        pytest.param('{"events":[],"events":[]}', id="a key twice"),
        pytest.param(_one(metadata='{"a":' + '[{"a":' * 248 + "1" + "}]" * 248 + "}"), id="nested, but not too deep"),
        pytest.param('\n {"\\u0065vents" : [ ] } ', id="white space and an escaped key"),
    ],
)
def test_what_senders_are_known_to_send_is_valid(body: str) -> None:
    assert _said(body) == "valid"
    assert _said(body, WEBHOOK) == "valid"


@pytest.mark.parametrize("metadata", ['"x"', '{"sdkType":7}', '{"stableID":{}}'])
def test_statsig_metadata_is_part_of_the_contract_at_log_event_alone(metadata: str) -> None:
    body = f'{{"events":[],"statsigMetadata":{metadata}}}'

    assert _said(body).startswith("statsigMetadata")
    assert _said(body, WEBHOOK) == "valid"


@pytest.mark.parametrize("at", range(len(_one(metadata='{"k":["v"]}', x='"y"'))))
def test_a_byte_that_is_not_utf8_is_found_anywhere(at: int) -> None:
    body = bytearray(_one(metadata='{"k":["v"]}', x='"y"').encode())
    body[at] = 0xFF

    assert "expected text in UTF-8, got another byte at offset" in _said(bytes(body))


def test_a_hundred_bad_events_are_named_and_all_are_counted() -> None:
    said = _said(f'{{"events":[{",".join([_event(), _event(time="1.5")] * 150)}]}}')

    assert said.count(".time: ") == 100
    assert "events[199].time" in said
    assert "(150 of 300 events are invalid; none was accepted:" in said


def test_a_message_that_would_be_too_long_counts_what_it_leaves_out() -> None:
    found = _validate(f'{{"events":[{",".join([_event(time="1.5")] * 90)}]}}'.encode())
    assert isinstance(found, Invalid)

    message = found.message(max_bytes=1000)

    assert len(message) <= 1000
    named = message.count(".time: ")
    assert 5 < named < 90
    assert f"; and {90 - named} more (90 of 90 events are invalid" in message


# --- against the reference ---


class _Object(list[tuple[str, Any]]):
    """An object as its members."""


def _last(event: _Object, key: str) -> Any:
    return [value for name, value in event if name == key][-1]


def _is_string(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
        return True
    return _is_number(value) and -(2**63) <= value < 2**63 and value == int(value)


def _is_object(value: Any) -> bool:
    return value is None or isinstance(value, _Object)


_FIELDS = {
    "eventName": lambda value: isinstance(value, str),
    "time": _is_time,
    "value": lambda value: _is_string(value) or _is_number(value),
    "metadata": _is_object,
    "user": lambda value: _is_object(value) and all(_is_user_field(*field) for field in value or ()),
}


def _is_user_field(name: str, value: Any) -> bool:
    match name:
        case "userID":
            return _is_string(value) or _is_number(value)
        case "email":
            return _is_string(value)
        case "custom":
            return _is_object(value)
        case "customIDs":
            return _is_object(value) and all(_is_string(item) for _, item in value or ())
        case _:
            return True


def _is_event(event: Any) -> bool:
    if not isinstance(event, _Object):
        return False
    names = {name for name, _ in event}
    if not {"eventName", "time"} <= names:
        return False
    if not all(_FIELDS[name](value) for name, value in event if name in _FIELDS):
        return False
    return "user" in names or _last(event, "eventName").startswith("statsig::")


def _keeps_the_contract(request: Any) -> bool:
    if not isinstance(request, _Object) or "events" not in {name for name, _ in request}:
        return False
    return all(
        isinstance(value, list) and not isinstance(value, _Object) and all(map(_is_event, value))
        for name, value in request
        if name == "events"
    )


def _text(value: Any) -> str:
    if isinstance(value, _Object):
        return "{" + ",".join(f"{json.dumps(name)}:{_text(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value)


_leaves = st.sampled_from(
    [None, True, 0, 1.5, 3.0, 2**63, 1e300, "", "statsig::x", "e", "2026-01-01", "x", [], [1], _Object()]
)
_users = _leaves | st.lists(
    st.tuples(
        st.sampled_from(["userID", "email", "custom", "customIDs", "ip"]),
        _leaves | st.lists(st.tuples(st.sampled_from("ab"), _leaves), max_size=2).map(_Object),
    ),
    max_size=3,
).map(_Object)
_good_members = st.tuples(st.just(("eventName", "e")), st.just(("time", 1)), st.just(("user", _Object()))).map(list)
_more_members = st.lists(
    st.tuples(st.sampled_from(["eventName", "time", "value", "metadata", "ip"]), _leaves)
    | st.tuples(st.just("user"), _users),
    max_size=3,
)
_events = (
    st.builds(lambda good, more: _Object(good + more), _good_members, _more_members)
    | _more_members.map(_Object)
    | _leaves
)
_requests = st.lists(
    st.tuples(st.sampled_from(["events", "events", "a"]), st.lists(_events, max_size=3) | _leaves), max_size=2
).map(_Object)


@given(_requests)
@example(_Object([("events", [_Object([("eventName", "statsig::x"), ("time", "2026-01-01"), ("eventName", "e")])])]))
def test_a_body_is_valid_just_if_the_reference_says_so(request_: Any) -> None:
    body = _text(request_).encode()

    assert isinstance(_validate(body, WEBHOOK), Valid) == _keeps_the_contract(request_)


@given(_requests)
def test_what_the_quick_check_takes_the_close_look_takes_too(request_: Any) -> None:
    body = _text(request_).encode()

    if isinstance(WEBHOOK.check(body), Valid):
        assert WEBHOOK.check(body) == WEBHOOK.look_closer(body)


@given(st.text(), st.integers(0, 200))
def test_any_text_is_answered_and_never_raises(text: str, cut: int) -> None:
    whole = _one(metadata=json.dumps({"a": text}, ensure_ascii=False)).encode()

    for body in (text.encode("utf-8", "surrogatepass"), whole[:cut], whole[:cut] + text.encode("utf-8", "replace")):
        assert isinstance(_validate(body), Valid | Invalid)
