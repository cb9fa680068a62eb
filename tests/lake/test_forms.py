"""Bodies of other forms than the contract's: a shared user, one event of a webhook, exposures."""

import json
from typing import Any

import pytest

from sluice.lake.choice import event_names
from sluice.lake.fields import MAX_EVENTS_AT_ONCE
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record
from tests.support.lake_rows import rows

_SHARED = {
    "userID": "shared",
    "email": "a@b.c",
    "custom": {"n": 1.50},
    "customIDs": {"stableID": "s1", "companyID": "c1"},
    "ip": "1.2.3.4",
    "statsigEnvironment": {"tier": "dev"},
    "unknown": [1],
}


def _webhook(body: bytes, **fields: Any) -> storage.LogRecord:
    return record(body, body_format=storage.BODY_FORMAT_WEBHOOK_EVENT, source=storage.SOURCE_WEBHOOK, **fields)


def _exposures(*exposures: dict[str, Any], **request: Any) -> storage.LogRecord:
    body = json.dumps({"exposures": exposures} | request).encode()
    return record(body, body_format=storage.BODY_FORMAT_CUSTOM_EXPOSURES, event_count=len(exposures))


def _json(request: dict[str, Any], **fields: Any) -> storage.LogRecord:
    return record(json.dumps(request).encode(), **fields)


# --- a shared user ---


def test_a_shared_user_stands_on_the_rows_of_events_without_one_and_on_no_other() -> None:
    events = [
        {"eventName": "none", "time": 1},
        {"eventName": "null", "time": 1, "user": None},
        {"eventName": "empty", "time": 1, "user": {}},
        {"eventName": "own", "time": 1, "user": {"userID": "own", "analyticsOnlyMetadata": {}}},
    ]

    found = {row["event_name"]: row for row in rows([_json({"events": events, "user": _SHARED})])}

    for name in ("none", "null"):
        row = found[name]
        assert (row["user_id"], row["user_email"], row["user_ip"]) == ("shared", "a@b.c", "1.2.3.4")
        assert (row["user_custom"], row["environment"], row["stable_id"]) == ('{"n": 1.5}', "dev", "s1")
        assert row["user_custom_ids"] == {"stableID": "s1", "companyID": "c1"}
        assert row["extra"] == '{"user":{"unknown":[1]}}'
    for name, user_id in (("empty", None), ("own", "own")):
        row = found[name]
        assert (row["user_id"], row["user_email"], row["user_custom_ids"]) == (user_id, None, None)


def test_each_request_shares_its_own_user_also_where_events_were_set_aside() -> None:
    event = {"eventName": "e", "time": 1}
    records = [
        _json({"events": [event, event], "user": {"userID": "a"}}, number=1, quarantined_indices=[0]),
        _json({"events": [event | {"user": {"userID": "b"}}]}, number=2),
        _json({"events": [event, event | {"x": 1}], "user": {"userID": "c"}}, number=3),
        _json({"events": [event | {"eventName": "statsig::x"}]}, number=4),
    ]

    found = [(row["user_id"], row["event_index"]) for row in rows(records)]

    assert found == [("a", 1), ("b", 0), ("c", 0), ("c", 1), (None, 0)]


def test_a_shared_user_stands_on_the_rows_of_a_large_request() -> None:
    count = MAX_EVENTS_AT_ONCE + 5
    large = _json({"user": {"userID": "u"}, "events": [{"eventName": "e", "time": 1}] * count}, event_count=count)

    assert [row["user_id"] for row in rows([large])] == ["u"] * count


# --- one event of a webhook ---


def test_one_event_of_a_webhook_becomes_a_row_with_all_its_values() -> None:
    body = (
        b'{"user":{"userID":12345,"x":1},"event":"paid","value":9007199254740993,"metadata":{ "a" : 1.50 },'
        b'"timestamp":"2026-01-01T00:00:00Z","eventID":"i1","colour":"red","idempotencyKey":"k1",'
        b'"statsigMetadata":{"sdkType":"hook"}}'
    )

    [row] = rows([_webhook(body, client_time_ms=None)])

    assert (row["event_name"], row["event_index"], row["event_kind"]) == ("paid", 0, "custom")
    assert (row["source"], row["time_ms"]) == ("webhook", 1767225600000)
    assert (row["user_id"], row["value_string"], row["metadata"]) == ("12345", "9007199254740993", '{ "a" : 1.50 }')
    assert (row["event_id"], row["idempotency_key"], row["sdk_type"]) == ("i1", "k1", "hook")
    assert row["extra"] == '{"event":{"colour":"red"},"user":{"x":1}}'


def test_a_webhook_that_does_not_say_when_happened_when_it_was_received() -> None:
    [row] = rows([_webhook(b'{"event":"e","user":null}')])

    assert (row["time_ms"], row["user_id"]) == (None, None)
    assert row["event_time"] == row["received_at"]


# --- exposures ---


def test_an_exposure_becomes_the_event_that_an_sdk_would_send() -> None:
    gate = {"user": {"userID": "u1"}, "gateName": "sale", "passes": True, "group": "Open", "ruleID": "r1", "time": 7}
    experiment = {"user": {"customIDs": {"companyID": "c"}}, "experimentName": "checkout", "group": "Test", "x": 1}
    second = [{"gate": "g", "gateValue": "false", "ruleID": "d"}]

    found = rows([_exposures(gate, experiment | {"secondaryExposures": second}, statsigMetadata={"sdkType": "http"})])

    assert [(row["event_name"], row["event_kind"], row["event_index"]) for row in found] == [
        ("statsig::gate_exposure", "gate_exposure", 0),
        ("statsig::config_exposure", "config_exposure", 1),
    ]
    assert [(row["exposure_name"], row["exposure_value"], row["rule_id"]) for row in found] == [
        ("sale", True, "r1"),
        ("checkout", None, "Test"),
    ]
    assert [json.loads(row["metadata"]) for row in found] == [
        {"gate": "sale", "gateValue": True, "ruleID": "r1", "group": "Open"},
        {"config": "checkout", "ruleID": "Test", "group": "Test"},
    ]
    assert [(row["user_id"], row["time_ms"], row["sdk_type"]) for row in found] == [
        ("u1", 7, "http"),
        (None, None, "http"),
    ]
    assert found[1]["user_custom_ids"] == {"companyID": "c"}
    assert json.loads(found[1]["secondary_exposures"]) == second
    assert found[1]["extra"] == '{"event":{"x":1}}'


@pytest.mark.parametrize(
    ("said", "rule_id"),
    [({"ruleID": "r"}, "r"), ({"group": "g"}, "g"), ({"group": "g", "ruleID": ""}, "g"), ({"ruleID": ""}, None)],
)
def test_where_no_rule_is_named_the_group_stands_for_it(said: dict[str, str], rule_id: str | None) -> None:
    [row] = rows([_exposures({"experimentName": "e", "user": {}} | said)])

    assert (row["rule_id"] or None) == rule_id


def test_exposures_share_the_user_of_their_request() -> None:
    [row] = rows([_exposures({"experimentName": "e", "group": "g"}, user={"userID": "u"})])

    assert row["user_id"] == "u"


def test_many_exposures_of_one_request_become_rows() -> None:
    count = MAX_EVENTS_AT_ONCE + 5
    found = rows([_exposures(*[{"experimentName": "e", "group": "g", "user": {}}] * count)])

    assert [row["event_index"] for row in found] == list(range(count))
    assert {row["rule_id"] for row in found} == {"g"}


def test_records_of_all_forms_keep_the_order_of_the_log() -> None:
    event = {"eventName": "json", "time": 1, "user": {"userID": "j"}}
    records = [
        _webhook(b'{"event":"hook","user":{"userID":"h"}}', number=1),
        _json({"events": [event]}, number=2),
        _exposures({"experimentName": "e", "group": "g"}, user={"userID": "x"}),
        _json({"events": [event | {"user": None}], "user": {"userID": "s"}}, number=4),
    ]

    assert [row["user_id"] for row in rows(records)] == ["h", "j", "x", "s"]
    assert [event_names(each) for each in records] == [["hook"], ["json"], ["statsig::config_exposure"], ["json"]]
