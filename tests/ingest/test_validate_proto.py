"""What a typed message may be: the same rules as for JSON, in protobuf's words."""

import math

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.validate import Valid
from sluice.ingest.validate_proto import (
    LOG_EVENT_REQUEST,
    LOG_EVENT_REQUEST_OF_JSON,
    RECEIVE_WEBHOOK_EVENT_REQUEST,
)
from sluice.ingest.violations import Invalid


def _event(**changed: object) -> pb.Event:
    event = pb.Event(event_name="e", user=pb.User(user_id="u"), time=1)
    for name, value in changed.items():
        event.ClearField(name)  # type: ignore[arg-type]  # a field's name
        if value is not None:
            event.MergeFrom(pb.Event(**{name: value}))  # type: ignore[arg-type]  # as above
    return event


def _said(*events: pb.Event, of_json: bool = False) -> str:
    log_event = LOG_EVENT_REQUEST_OF_JSON if of_json else LOG_EVENT_REQUEST
    found = log_event.look_closer(pb.LogEventRequest(events=events).SerializeToString())
    if not of_json:  # Envoy hands webhooks on as JSON
        request = pb.ReceiveWebhookEventRequest(events=events)
        assert found == RECEIVE_WEBHOOK_EVENT_REQUEST.look_closer(request.SerializeToString())
    return found.message(max_bytes=10_000) if isinstance(found, Invalid) else "valid"


def _struct(value: object) -> Struct:
    return ParseDict({"a": {"b": [1, {"c": None}]}}, Struct()) if value is None else Struct(fields={"a": value})  # type: ignore[dict-item]  # a Value


_NAN = Value(number_value=math.nan)
_NESTED_NAN = Value(list_value=ListValue(values=[Value(struct_value=Struct(fields={"b": _NAN}))]))
_COUNT = " (1 of 1 events are invalid; none was accepted: mend them or leave them out, and send the rest again)"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        pytest.param(_event(event_name=None), "event_name: missing, expected string", id="no name"),
        pytest.param(_event(user=None), "user: missing, expected sluice.events.v1.User", id="no user"),
        pytest.param(
            _event(value=Value(bool_value=True)), "value: expected string, number or null, got boolean", id="value true"
        ),
        pytest.param(
            _event(value=Value(struct_value=Struct())),
            "value: expected string, number or null, got struct",
            id="value a struct",
        ),
        pytest.param(_event(value=_NAN), "value: expected finite numbers, got NaN or Infinity", id="value NaN"),
        pytest.param(
            _event(value=Value(number_value=-math.inf)),
            "value: expected finite numbers, got NaN or Infinity",
            id="value -Infinity",
        ),
        pytest.param(
            _event(metadata=_struct(_NESTED_NAN)), "metadata: expected finite numbers, got NaN or Infinity", id="deep"
        ),
        pytest.param(
            _event(user=pb.User(custom=_struct(_NAN))),
            "user.custom: expected finite numbers, got NaN or Infinity",
            id="custom",
        ),
        pytest.param(
            _event(secondary_exposures=[Struct(), _struct(_NAN)]),
            "secondary_exposures: expected finite numbers, got NaN or Infinity",
            id="exposures",
        ),
    ],
)
def test_what_breaks_the_contract_is_named_by_its_path(event: pb.Event, said: str) -> None:
    assert _said(event) == f"events[0].{said}{_COUNT}"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(_event(event_name=""), id="an empty name"),
        pytest.param(_event(user=None, event_name="statsig::diagnostics"), id="an internal event without user"),
        pytest.param(_event(user=pb.User()), id="an empty user"),
        pytest.param(_event(time=None), id="no time"),
        pytest.param(_event(value=Value(null_value=NULL_VALUE)), id="value null"),
        pytest.param(_event(value=Value()), id="value of no kind"),
        pytest.param(_event(value=Value(string_value="")), id="value an empty text"),
        pytest.param(_event(metadata=_struct(None)), id="nested metadata"),
    ],
)
def test_what_may_be_absent_or_null_is_valid(event: pb.Event) -> None:
    assert _said(event) == "valid"


def test_no_events_are_valid() -> None:
    assert LOG_EVENT_REQUEST.look_closer(b"") == Valid(event_count=0)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        pytest.param(_event(event_name=None), "eventName: missing, expected string", id="no name"),
        pytest.param(_event(user=None), "user: missing, expected object", id="no user"),
        pytest.param(_event(time=None), "time: missing, expected integer (ms since epoch)", id="no time"),
        pytest.param(
            _event(value=Value(bool_value=True)), "value: expected string or number, got boolean", id="value true"
        ),
        pytest.param(
            _event(value=Value(struct_value=Struct())), "value: expected string or number, got object", id="an object"
        ),
        pytest.param(
            _event(value=Value(list_value=ListValue())), "value: expected string or number, got array", id="an array"
        ),
        pytest.param(
            _event(secondary_exposures=[_struct(_NAN)]),
            "secondaryExposures: expected finite numbers, got NaN or Infinity",
            id="exposures",
        ),
    ],
)
def test_what_envoy_made_of_json_is_told_of_in_the_words_of_json(event: pb.Event, said: str) -> None:
    assert _said(event, of_json=True) == f"events[0].{said}{_COUNT}"
    assert _said(_event(), of_json=True) == "valid"


def test_of_json_no_events_are_refused_as_a_misspelt_field_would_look_the_same() -> None:
    assert _said(of_json=True).startswith("events: expected at least one")


def test_of_json_nesting_that_the_parser_does_not_take_is_called_so() -> None:
    found = LOG_EVENT_REQUEST_OF_JSON.look_closer(_nested(40))

    assert isinstance(found, Invalid)
    assert found.message(max_bytes=1000) == (
        "body: expected values of the schema's types, at most 32 levels of free-form nesting, got others; "
        "nest free-form objects less, and write UTF-8"
    )


def test_a_hundred_bad_events_are_named_and_all_are_counted() -> None:
    said = _said(*[_event(), _event(user=None)] * 150)

    assert said.count(".user: missing") == 100
    assert "(150 of 300 events are invalid; none was accepted:" in said


def test_text_that_is_not_utf8_is_invalid() -> None:
    body = pb.LogEventRequest(events=[_event(event_name="zzzz")]).SerializeToString().replace(b"zzzz", b"zz\xff\xff")

    assert isinstance(LOG_EVENT_REQUEST.look_closer(body), Invalid)


def _field(number: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + content


@pytest.mark.parametrize(("levels", "valid"), [(31, True), (40, False), (100, False)])
def test_nesting_beyond_what_the_parser_takes_is_invalid(levels: int, valid: bool) -> None:
    assert isinstance(LOG_EVENT_REQUEST.look_closer(_nested(levels)), Valid) == valid


def _nested(levels: int) -> bytes:
    # Structs within Structs, written by hand: protobuf writes none that it wouldn't read.
    struct = b""
    for _ in range(levels):
        struct = _field(1, _field(1, b"a") + _field(2, _field(5, struct)))
    return _field(1, _event().SerializeToString() + _field(5, struct))


@given(st.floats(), st.binary(max_size=20))
def test_a_number_is_refused_just_if_it_is_not_finite(number: float, text: bytes) -> None:
    event = _event(metadata=Struct(fields={text.hex(): Value(number_value=number)}), event_name=text.decode("latin-1"))

    assert (_said(event) == "valid") == math.isfinite(number)


@given(st.binary(max_size=60))
def test_any_bytes_are_answered_and_never_raise(body: bytes) -> None:
    assert isinstance(LOG_EVENT_REQUEST.look_closer(body), Valid | Invalid)


def test_an_event_without_a_user_takes_that_of_its_request() -> None:
    for of_json, shape in ((False, LOG_EVENT_REQUEST), (True, LOG_EVENT_REQUEST_OF_JSON)):
        request = pb.LogEventRequest(events=[_event(user=None)], user=pb.User(user_id="u1"))

        assert isinstance(shape.look_closer(request.SerializeToString()), Valid), of_json


def test_a_shared_user_is_held_to_the_rules_of_users() -> None:
    nan = pb.User(custom=Struct(fields={"a": _NAN}))
    large = pb.User(email="x" * 20_000)

    refused = LOG_EVENT_REQUEST.look_closer(pb.LogEventRequest(events=[_event()], user=nan).SerializeToString())
    too_large = LOG_EVENT_REQUEST.look_closer(
        pb.LogEventRequest(events=[_event()] * 1000, user=large).SerializeToString()
    )

    assert isinstance(refused, Invalid)
    assert refused.message(max_bytes=1000) == (
        "user.custom: expected finite numbers, got NaN or Infinity; mend that, and send the request again"
    )
    assert isinstance(too_large, Invalid)
    assert too_large.message(max_bytes=1000).startswith("user: expected at most 16777 bytes where 1000 events share it")
