"""The forms of JSON bodies beyond the contract: a request's own user, one event of a webhook, exposures."""

import json
from typing import Any

import pytest

from sluice.contract import MAX_SHARED_USER_BYTES
from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT, WEBHOOK, JsonShape, Unclear, Valid
from sluice.ingest.violations import Invalid
from sluice.log.ports import Body

_USER = {"userID": "u1"}
_NO_USER: dict[str, Any] = {"eventName": "e", "time": 1}
_COUNT = " (1 of 1 events are invalid; none was accepted: mend them or leave them out, and send the rest again)"
_EXPOSURE_COUNT = _COUNT.replace("events", "exposures")
_MEND = "; mend that, and send the request again"
_NO_EVENTS = 'events: missing, expected array; send {"events":[...]}'
_EITHER = "events: expected array, or in its place event, the name of one, got"
_NEITHER = f'{_EITHER} neither; send {{"events":[...]}}, or one event as {{"event":"...","user":{{...}}}}'


def _validate(body: Any, shape: JsonShape) -> Valid | Invalid:
    text = (body if isinstance(body, str) else json.dumps(body)).encode()
    found = shape.check(text)
    if isinstance(found, Unclear):
        return shape.look_closer(text)
    assert found == shape.look_closer(text), "both looks find the same"
    return found


def _said(body: Any, shape: JsonShape) -> str:
    found = _validate(body, shape)
    return found.message(max_bytes=10_000) if isinstance(found, Invalid) else "valid"


# --- a request's own user ---


@pytest.mark.parametrize("shape", [LOG_EVENT, WEBHOOK])
@pytest.mark.parametrize("event", [_NO_USER, _NO_USER | {"user": None}, _NO_USER | {"user": {}}])
def test_where_a_request_has_a_user_an_event_needs_none(shape: JsonShape, event: dict[str, Any]) -> None:
    assert _validate({"user": _USER, "events": [event]}, shape) == Valid(event_count=1)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"user": None, "events": [_NO_USER]}, f"events[0].user: missing, expected object{_COUNT}"),
        ({"user": 7, "events": []}, f"user: expected object, got number{_MEND}"),
        ({"user": {"userID": True}, "events": []}, f"user.userID: expected string or number, got boolean{_MEND}"),
        (
            {"user": {"customIDs": {"a": 1}}, "events": []},
            f"user.customIDs: expected strings as values, got number{_MEND}",
        ),
        ({"user": _USER, "events": [_NO_USER | {"user": []}]}, f"events[0].user: expected object, got array{_COUNT}"),
        (
            '{"user":{},"user":null,"events":[{"eventName":"e","time":1}]}',
            f"events[0].user: missing, expected object{_COUNT}",
        ),
        (
            '{"user":{"email":"\\ud800"},"events":[]}',
            "user.email: expected JSON, got half a surrogate pair at offset 18; don't cut text within a character",
        ),
    ],
)
def test_the_user_of_a_request_is_held_to_the_rules_of_users(request_: Any, said: str) -> None:
    assert _said(request_, LOG_EVENT) == said
    assert _said(request_, WEBHOOK) == said


def test_a_shared_user_that_would_be_too_much_on_all_rows_is_refused() -> None:
    user = {"email": "x" * 20_000}
    many = MAX_SHARED_USER_BYTES // 20_000 + 1

    assert _said({"user": user, "events": [_NO_USER] * (many - 2)}, LOG_EVENT) == "valid"
    assert _said({"user": user, "events": [_NO_USER] * many}, LOG_EVENT) == (
        f"user: expected at most {MAX_SHARED_USER_BYTES // many} bytes where {many} events share it, got 20013; "
        "send fewer events per request, or a smaller user"
    )


# --- one event, as webhooks in the wild post it ---


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"value": "x"},
        {"metadata": None},
        {"timestamp": "2026-01-01"},
        {"timestamp": "1767225600000"},
        {"timestamp": None},
        {"user": None},
        {"events": None},
        {"unknown": []},
        {"event": "statsig::x", "user": None},
    ],
)
def test_one_event_is_valid_at_the_webhook(changed: dict[str, Any]) -> None:
    body = {"user": _USER, "event": "paid", "value": 1.5, "metadata": {"a": 1}, "timestamp": 1767225600000} | changed

    assert _validate(body, WEBHOOK) == Valid(event_count=1, body_format=Body.WEBHOOK_EVENT)
    assert _said(body, LOG_EVENT) == _NO_EVENTS


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, _NEITHER),
        ({"event": None}, _NEITHER),
        ({"event": "e", "events": []}, f"{_EITHER} both; leave one of them out"),
        ({"event": "e", "timestamp": 1}, f"user: missing, expected object{_MEND}"),
        ({"event": 7, "user": {}}, f"event: expected string, got number{_MEND}"),
        ({"event": "e", "user": {"userID": []}}, f"user.userID: expected string or number, got array{_MEND}"),
        (
            {"event": "e", "user": {}, "timestamp": 1.5},
            f"timestamp: expected integer (ms since epoch), got number with a fraction{_MEND}",
        ),
        ({"event": "e", "user": {}, "value": True}, f"value: expected string or number, got boolean{_MEND}"),
        ({"event": "e", "user": {}, "metadata": []}, f"metadata: expected object, got array{_MEND}"),
        ('{"event":"e","event":null,"user":{}}', f"event: missing, expected string{_MEND}"),
    ],
)
def test_what_is_wrong_with_one_event_is_named_by_its_path(body: Any, said: str) -> None:
    assert _said(body, WEBHOOK) == said


# --- exposures that an application logs itself ---

_EXPERIMENT = {"user": _USER, "experimentName": "checkout", "group": "Test"}
_GATE = {"user": _USER, "gateName": "sale", "passes": True, "ruleID": "r1"}


@pytest.mark.parametrize(
    "body",
    [
        {"exposures": [_EXPERIMENT, _GATE]},
        {"exposures": [_EXPERIMENT | {"ruleID": "r1", "time": 1767225600000, "secondaryExposures": []}]},
        {"exposures": [_GATE | {"passes": False, "time": "2026-01-01", "experimentName": None}]},
        {"user": _USER, "exposures": [{"experimentName": "e", "ruleID": ""}]},
        {"exposures": [_EXPERIMENT], "statsigMetadata": {"sdkType": "x", "exposureLoggingDisabled": True}},
        {"exposures": []},
    ],
)
def test_exposures_as_the_documents_have_them_are_valid(body: dict[str, Any]) -> None:
    assert _validate(body, CUSTOM_EXPOSURES) == Valid(event_count=len(body["exposures"]))


@pytest.mark.parametrize(
    ("exposure", "said"),
    [
        ({"group": "g", "user": {}}, ": expected experimentName or gateName, got neither"),
        (_EXPERIMENT | _GATE, ": expected either experimentName or gateName, got both"),
        ({"experimentName": "e", "user": {}}, ": expected group or ruleID, got neither"),
        ({"experimentName": "e", "user": {}, "group": None}, ": expected group or ruleID, got neither"),
        (_EXPERIMENT | {"experimentName": ""}, ".experimentName: expected a name, got an empty string"),
        (_EXPERIMENT | {"experimentName": 7}, ".experimentName: expected string, got number"),
        (_EXPERIMENT | {"group": ""}, ".group: expected a name, got an empty string"),
        (_EXPERIMENT | {"ruleID": 5}, ".ruleID: expected string, got number"),
        (_GATE | {"passes": None}, ".passes: missing, expected boolean"),
        (_GATE | {"passes": "true"}, ".passes: expected boolean, got string"),
        ({"experimentName": "e", "group": "g"}, ".user: missing, expected object"),
        (_EXPERIMENT | {"user": 7}, ".user: expected object, got number"),
        (_EXPERIMENT | {"time": True}, ".time: expected integer (ms since epoch), got boolean"),
        (7, ": expected object, got number"),
    ],
)
def test_what_is_wrong_with_an_exposure_is_named_by_its_path(exposure: Any, said: str) -> None:
    assert _said({"exposures": [exposure]}, CUSTOM_EXPOSURES) == f"exposures[0]{said}{_EXPOSURE_COUNT}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            '{"exposures":[{"group":"g","user":{"email":',
            "exposures[0].user.email: expected JSON, got the end of the body",
        ),
        ('{"exposures":[{},{"gateName":nul', "exposures[1].gateName: expected JSON, got the end of the body"),
        ('{"exposures":7}', 'exposures: expected array, got number; send {"exposures":[...]}'),
        ("", 'body: expected JSON, got an empty body; send {"exposures":[...]}'),
        ("[]", 'body: expected object, got array; send {"exposures":[...]}'),
        ('{"exposures":[],"user":7}', "user: expected object, got number; mend that, and send the request again"),
    ],
)
def test_a_fault_within_exposures_is_named_by_its_path(body: str, said: str) -> None:
    assert _said(body, CUSTOM_EXPOSURES).startswith(said)


def test_a_shared_user_that_is_too_large_is_told_in_the_words_of_exposures() -> None:
    user = {"email": "x" * 20_000}
    many = MAX_SHARED_USER_BYTES // 20_000 + 1

    for exposure in ({"experimentName": "e", "group": "g"}, {"gateName": "g", "passes": True, "ruleID": "r"}):
        assert _said({"user": user, "exposures": [exposure] * many}, CUSTOM_EXPOSURES) == (
            f"user: expected at most {MAX_SHARED_USER_BYTES // many} bytes where {many} exposures share it, got 20013; "
            "send fewer exposures per request, or a smaller user"
        )


def test_a_body_of_another_door_is_none_of_exposures() -> None:
    assert _said({"events": []}, CUSTOM_EXPOSURES) == 'exposures: missing, expected array; send {"exposures":[...]}'


@pytest.mark.parametrize("place", ["request", "exposure"])
def test_private_attributes_are_cut_out_of_exposures(place: str) -> None:
    private = {"userID": "u", "privateAttributes": {"a": "s3cret"}}
    body = {"exposures": [_GATE | {"user": private}]} if place == "exposure" else {"exposures": [], "user": private}

    kept = CUSTOM_EXPOSURES.to_store(json.dumps(body).encode())

    assert b"s3cret" not in kept
    assert b"privateAttributes" not in kept
    assert b'"userID": "u"' in kept
