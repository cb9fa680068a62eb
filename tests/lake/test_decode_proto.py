"""Protobuf bodies, and that they give the rows that the same facts give as JSON."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.events.v1 import events_pb2 as api
from sluice.lake.decode import decode
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record
from tests.support.lake_rows import parsed, rows


def _record(message: Message, **fields: Any) -> storage.LogRecord:
    body_format = (
        storage.BODY_FORMAT_LOG_EVENT_REQUEST
        if isinstance(message, api.LogEventRequest)
        else storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST
    )
    return record(message.SerializeToString(), body_format=body_format, **fields)


def _optional(**members: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: st.none() | member for name, member in members.items()}


_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
# What a double holds, in both encodings.
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
_FREE = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(_TEXT, _FREE, max_size=3)
_EXPOSURES = st.fixed_dictionaries(
    {},
    optional={
        "gate": _TEXT,
        "config": _TEXT,
        "gateValue": st.sampled_from(["true", "false", True, False, "x", 1]),
        "rulePassed": st.sampled_from(["true", False]),
        "ruleID": _TEXT,
        "reason": _FREE,
        "parameterName": _TEXT,
    },
)
_IDS = st.dictionaries(_TEXT | st.sampled_from(["stableID", "stableid", "STABLEID"]), _TEXT, max_size=3)
_USERS = st.fixed_dictionaries({}, optional=_optional(userID=_TEXT, email=_TEXT, custom=_OBJECTS, customIDs=_IDS))
_EVENTS = st.fixed_dictionaries(
    {
        "user": st.none() | _USERS,
        "eventName": _TEXT | st.sampled_from(["statsig::gate_exposure", "statsig::layer_exposure", "auto_capture::x"]),
        "time": st.integers(-(2**63), 2**63 - 1),
    },
    optional=_optional(value=_TEXT | _NUMBERS, metadata=_OBJECTS | _EXPOSURES),
)
_REQUESTS = st.fixed_dictionaries(
    {"events": st.lists(_EVENTS, max_size=4)},
    optional=_optional(
        user=_USERS,
        clientTime=st.integers(-(2**63), 2**63 - 1),
        statsigMetadata=st.fixed_dictionaries(
            {}, optional=_optional(sdkType=_TEXT, sdkVersion=_TEXT, sessionID=_TEXT, stableID=_TEXT)
        ),
    ),
)


def _message(request: dict[str, Any]) -> api.LogEventRequest:
    return json_format.ParseDict(_without_null_structs(request), api.LogEventRequest())


def _without_null_structs(request: dict[str, Any]) -> dict[str, Any]:
    """protobuf reads a null member as absent, but for `value`, whose type has a null of its own."""
    events = [{k: v for k, v in event.items() if v is not None} for event in request["events"]]
    return {k: v for k, v in (request | {"events": events}).items() if v is not None}


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    row = parsed(row)
    # Nulls within are absent in a typed message.
    if row["sdk_metadata"] is not None:
        row["sdk_metadata"] = {k: v for k, v in row["sdk_metadata"].items() if v is not None}
    return row


@given(_REQUESTS, st.none() | st.integers(-(2**63), 2**63 - 1), st.booleans())
@settings(max_examples=150)
def test_both_encodings_of_a_request_give_the_same_rows(
    request: dict[str, Any], client_time_ms: int | None, escaped: bool
) -> None:
    fields: dict[str, Any] = {} if client_time_ms is None else {"client_time_ms": client_time_ms}
    as_json = record(json.dumps(request, ensure_ascii=escaped).encode(), sdk_type="outside", **fields)
    as_proto = _record(_message(request), sdk_type="outside", **fields)

    assert [_comparable(row) for row in rows([as_json])] == [_comparable(row) for row in rows([as_proto])]


def test_fields_beyond_the_contract_that_have_columns_give_the_same_rows() -> None:
    request = {
        "idempotencyKey": "k1",
        "events": [
            {
                "eventName": "e",
                "time": 1,
                "eventID": "i1",
                "secondaryExposures": [{"gate": "g", "gateValue": "false", "ruleID": "r"}],
                "user": {
                    "ip": "1.2.3.4",
                    "userAgent": "UA",
                    "country": "DE",
                    "locale": "de_DE",
                    "appVersion": "1.2",
                    "statsigEnvironment": {"tier": "dev"},
                },
            }
        ],
    }

    (row,) = map(parsed, rows([_record(json_format.ParseDict(request, api.LogEventRequest()))]))

    assert row == parsed(rows([record(json.dumps(request).encode())])[0])
    assert (row["idempotency_key"], row["event_id"], row["environment"]) == ("k1", "i1", "dev")


def test_a_webhook_message_gives_rows() -> None:
    message = api.ReceiveWebhookEventRequest(events=[api.Event(event_name="w")], idempotency_key="k")

    (row,) = rows([_record(message, source=storage.SOURCE_WEBHOOK)])

    assert (row["event_name"], row["source"], row["idempotency_key"], row["time_ms"]) == ("w", "webhook", "k", None)
    assert row["event_time"] == row["received_at"]


def test_a_struct_becomes_the_one_text_of_its_value() -> None:
    event = api.Event(event_name="e")
    event.metadata.update({"b": [1.0, 0.5, 1e300, 2.0**53, -0.0], "a": {"z": None, "y": True, "ü\n": "ß\u2028"}})

    (row,) = rows([_record(api.LogEventRequest(events=[event]))])

    assert row["metadata"] == '{"a":{"y":true,"z":null,"ü\\n":"ß\u2028"},"b":[1,0.5,1e+300,9007199254740992.0,-0]}'


def test_a_nested_value_of_no_kind_is_null() -> None:
    event = api.Event(event_name="e", user=api.User(user_id="u"), time=1)
    event.metadata.fields["a"].SetInParent()
    event.user.custom.fields["b"].list_value.values.add()

    [row] = rows([_record(api.LogEventRequest(events=[event]))])

    assert (row["metadata"], row["user_custom"]) == ('{"a":null}', '{"b":[null]}')


def test_events_that_were_set_aside_are_no_rows() -> None:
    message = api.LogEventRequest(events=[api.Event(event_name=name) for name in "abc"])

    found = rows([_record(message, quarantined_indices=[1])])

    assert [(row["event_index"], row["event_name"]) for row in found] == [(0, "a"), (2, "c")]


def test_rows_keep_log_order_where_encodings_alternate() -> None:
    typed = _record(api.LogEventRequest(events=[api.Event(event_name="p1"), api.Event(event_name="p2")]))
    text = record(b'{"events":[{"eventName":"j1"},{"eventName":"j2"}]}')

    found = rows([typed, text, typed, text])

    assert [row["event_name"] for row in found] == ["p1", "p2", "j1", "j2"] * 2


def _with_value(**value: Any) -> api.LogEventRequest:
    event = api.Event(event_name="e")
    for name, content in value.items():
        setattr(event.value, name, content)
    return api.LogEventRequest(events=[event])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(record(b"\xff\xff", body_format=storage.BODY_FORMAT_LOG_EVENT_REQUEST), id="no message"),
        pytest.param(_record(_with_value(bool_value=True)), id="value is a boolean"),
        pytest.param(_record(_with_value(number_value=float("nan"))), id="value is NaN"),
        pytest.param(record(b"{}", body_format=storage.BODY_FORMAT_UNSPECIFIED), id="format not said"),
        pytest.param(record(b'{"events":[]}', source=storage.SOURCE_UNSPECIFIED), id="door not said"),
        pytest.param(record(b'{"events":[]}', request_id=b"short"), id="no request id"),
    ],
)
def test_a_record_that_no_door_writes_is_named(broken: storage.LogRecord) -> None:
    found = decode([record(b'{"events":[{"eventName":"good"}]}'), broken])

    assert [bad.index for bad in found.undecodable] == [1]
    assert [batch.num_rows for batch in found.batches] == [1]
