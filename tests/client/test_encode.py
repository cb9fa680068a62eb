import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.client import Event, InvalidEvent, User
from sluice.client.encode import decode, encode
from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.validate import Valid
from sluice.ingest.validate_proto import LOG_EVENT_REQUEST

NOW_MS = 1767225600000


def _encode(event: Event) -> bytes:
    return encode(event, now_ms=NOW_MS, most_bytes=1 << 20)[1]


def _event(event: Event) -> pb.Event:
    return pb.LogEventRequest.FromString(_encode(event)).events[0]


def _nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels - 1):
        inner = {"a": inner}
    return inner


texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | texts
objects = st.dictionaries(
    texts,
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)),
    max_size=4,
)
optional_texts = st.none() | texts
users = st.builds(
    User,
    optional_texts,
    email=optional_texts,
    custom=st.none() | objects,
    custom_ids=st.none() | st.dictionaries(texts, texts, min_size=1, max_size=3),
    ip=optional_texts,
    user_agent=optional_texts,
    country=optional_texts,
    locale=optional_texts,
    app_version=optional_texts,
    environment=optional_texts,
)
events = st.builds(
    Event,
    texts,
    users,
    value=st.none() | texts | numbers,
    metadata=st.none() | objects,
    time=st.integers(-(2**63), 2**63 - 1),
    event_id=texts,
    secondary_exposures=st.none() | st.lists(objects, min_size=1, max_size=2),
)


@given(events)
def test_an_event_comes_back_as_it_was_logged(event: Event) -> None:
    assert decode(_encode(event)) == event


# What may come from a caller that no type checker has seen.
anything = st.recursive(
    leaves
    | st.floats()
    | st.integers()
    | st.binary(max_size=3)
    | st.text(st.characters(categories=["Cs", "Lu"]), max_size=3)
    | st.sampled_from([object(), {1}, NOW_MS * 10**9, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner, max_size=3),
)


@given(
    st.builds(
        Event,
        anything,
        anything | st.builds(User, anything, custom=anything, custom_ids=anything, environment=anything),
        value=anything,
        metadata=anything,
        time=anything,
        event_id=anything,
        secondary_exposures=anything,
    )
)
@example(Event("deep", "u1", metadata=_nested(32)))
@example(Event("deep", User("u1", custom=_nested(32))))
@example(Event("deep", "u1", secondary_exposures=[_nested(32)]))
@example(Event("deep", "u1", metadata={"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}))
def test_what_the_client_takes_the_server_takes(event: Event) -> None:
    try:
        encoded = _encode(event)
    except InvalidEvent:
        return

    assert LOG_EVENT_REQUEST.look_closer(encoded) == Valid(event_count=1)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        pytest.param(Event(3, "u1"), "event_name: expected text, got int", id="name no text"),
        pytest.param(Event("e"), "user: missing", id="no user"),
        pytest.param(Event("e", 7), "user: expected sluice.client.User or text, got int", id="user a number"),
        pytest.param(Event("e", User(7)), "user.user_id: expected text, got int", id="user id a number"),
        pytest.param(
            Event("e", User(custom_ids={"companyID": 9})),
            "user.custom_ids['companyID']: expected text, got int",
            id="custom id a number",
        ),
        pytest.param(Event("e", "u1", value=True), "value: expected number or text, got bool", id="value a boolean"),
        pytest.param(Event("e", "u1", value=math.nan), "value: expected a finite number", id="value NaN"),
        pytest.param(
            Event("e", "u1", metadata={"a": {"b": [1, {2}]}}),
            "metadata['a']['b'][1]: expected a JSON value, got set",
            id="no JSON",
        ),
        pytest.param(Event("e", "u1", metadata={"a": math.inf}), "metadata['a']: expected a finite number", id="inf"),
        pytest.param(
            Event("e", "u1", metadata={"n": 2**53 + 1}),
            "metadata['n']: expected integer that a double holds",
            id="integer",
        ),
        pytest.param(Event("e", "u1", metadata={1: 2}), "metadata: expected text, got int", id="key no text"),
        pytest.param(Event("e", "u1", metadata=[1]), "metadata: expected mapping, got list", id="no mapping"),
        pytest.param(Event("e\ud800", "u1"), "event_name: expected text, got half a surrogate pair", id="no UTF-8"),
        pytest.param(Event("e", "u1", time=datetime(2026, 1, 1)), "time: expected a time zone", id="time without zone"),  # noqa: DTZ001  is what is tested
        pytest.param(Event("e", "u1", time=2**63), "time: expected integer", id="time beyond int64"),
        pytest.param(
            Event("e", "u1", secondary_exposures=["x"]), "secondary_exposures[0]: expected mapping", id="exposure"
        ),
        pytest.param(
            Event("e", "u1", metadata={"t": "x" * (1 << 20)}), "event: expected at most 1048576 bytes", id="size"
        ),
    ],
)
def test_a_wrong_event_is_told_at_the_call_with_its_path(event: Event, said: str) -> None:
    with pytest.raises(InvalidEvent) as told:
        _encode(event)

    assert str(told.value).startswith(said)
    assert said.startswith(told.value.path)


def test_nesting_beyond_what_the_server_reads_is_told() -> None:
    with pytest.raises(InvalidEvent, match="at most 32 levels"):
        _encode(Event("e", "u1", metadata=_nested(33)))


def test_an_error_never_holds_a_value() -> None:
    with pytest.raises(InvalidEvent) as told:
        _encode(Event("e", "u1", metadata={"password": b"hunter2"}))

    assert "hunter2" not in repr(told.value)


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        pytest.param(2**53, 2.0**53, "", id="exact as a double"),
        pytest.param(2**53 + 1, 0.0, "9007199254740993", id="not exact: its digits"),
        pytest.param(10**400, 0.0, "1" + "0" * 400, id="beyond a double: its digits"),
    ],
)
def test_no_digit_of_a_large_value_is_lost(value: int, number: float, text: str) -> None:
    sent = _event(Event("e", "u1", value=value)).value

    assert (sent.number_value, sent.string_value) == (number, text)


@pytest.mark.parametrize(
    ("time", "sent"),
    [
        pytest.param(None, NOW_MS, id="when it is logged"),
        pytest.param(5, 5, id="milliseconds"),
        pytest.param(datetime(2026, 1, 1, tzinfo=UTC), NOW_MS, id="UTC"),
        pytest.param(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), NOW_MS, id="another zone"),
    ],
)
def test_an_event_has_a_time(time: datetime | int | None, sent: int) -> None:
    assert _event(Event("e", "u1", time=time)).time == sent


def test_an_sdk_internal_event_may_lack_a_user() -> None:
    assert not _event(Event("statsig::diagnostics")).HasField("user")


def test_events_have_ids_of_their_own_unless_the_caller_gives_one() -> None:
    made = {encode(Event("e", "u1"), now_ms=NOW_MS, most_bytes=1000)[0] for _ in range(1000)}

    assert len(made) == 1000
    assert _event(Event("e", "u1", event_id="mine")).event_id == "mine"


def test_what_the_caller_changes_later_is_not_sent() -> None:
    metadata = {"a": 1}
    encoded = _encode(Event("e", "u1", metadata=metadata))
    metadata["a"] = 2

    assert decode(encoded).metadata == {"a": 1}
