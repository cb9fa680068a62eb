"""`events_distinct`: each event once, however often it was sent; and what is no copy."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_sql import NOW_MS, answer, event, sent

_FOLDER = Path(__file__).parents[2] / "fixtures/sdk"
_WHO = {
    "userID": "u1",
    "email": "a@b.c",
    "custom": {"plan": "pro"},
    "customIDs": {"companyID": "c1"},
    "ip": "1.2.3.4",
    "userAgent": "UA/1",
    "country": "US",
    "locale": "en_US",
    "appVersion": "1.2",
    "statsigEnvironment": {"tier": "staging"},
}
_BOUGHT = event("bought", user=_WHO, value=9.5, metadata={"item": "x"}, secondaryExposures=[{"gate": "g"}])
_ABOUT = {"sdkType": "js-client", "sdkVersion": "1", "stableID": "s1", "sessionID": "n1"}


def _kept(*records: LogRecord) -> list[tuple[str, int]]:
    """Which of the requests, by their number, and which of their events."""
    found = answer(records, "select request_id, event_index from events_distinct order by all")
    return [(row["request_id"][-1], row["event_index"]) for row in found]


def _bodies() -> list[Any]:
    facts = [
        (f"{file.stem}:{number}", json.loads(line))
        for file in sorted(_FOLDER.glob("*.jsonl"))
        for number, line in enumerate(file.read_text().splitlines())
    ]
    return [
        pytest.param(json.loads(fact["body"]), id=name)
        for name, fact in facts
        if fact["line"].split()[1].partition("?")[0] in {"/v1/log_event", "/v1/rgstr"}
    ]


@pytest.mark.parametrize("body", _bodies())
def test_what_real_sdks_sent_counts_once_when_it_comes_again_among_newer_events(body: dict[str, Any]) -> None:
    first = sent(*body["events"], about=body["statsigMetadata"], number=1)
    merged = [event("newer", user="u1"), *reversed(body["events"])]
    later_ms = NOW_MS + 60_000
    again = sent(
        *merged,
        about=body["statsigMetadata"] | {"flushType": "retry"},
        number=2,
        received_ms=later_ms,
        client_ms=later_ms,
    )

    assert _kept(first, again) == [*(("1", index) for index in range(len(body["events"]))), ("2", 0)]


@pytest.mark.parametrize("event_id", ["", "e1"])
def test_the_copy_that_came_first_is_kept_in_whatever_order_the_files_are_read(event_id: str) -> None:
    bought = _BOUGHT | {"eventID": event_id}
    late = sent(bought, number=1, received_ms=NOW_MS + 1)
    early = sent(bought, number=2)

    assert _kept(late, early) == [("2", 0)]


@pytest.mark.parametrize(
    "difference",
    [
        {"eventName": "sold"},
        {"time": _BOUGHT["time"] + 1},
        {"value": 9.6},
        {"value": "9.5"},
        {"value": None},
        {"metadata": {"item": "y"}},
        {"metadata": None},
        {"secondaryExposures": []},
        {"eventID": "e1"},
        *({"user": _WHO | {member: None}} for member in _WHO),
        {"user": _WHO | {"customIDs": {"companyID": "c2"}}},
    ],
    ids=json.dumps,
)
def test_events_that_differ_in_anything_the_client_said_of_them_are_two(difference: dict[str, Any]) -> None:
    other = {name: value for name, value in (_BOUGHT | difference).items() if value is not None}

    assert _kept(sent(_BOUGHT, number=1), sent(other, number=2)) == [("1", 0), ("2", 0)]


@pytest.mark.parametrize("difference", [{"stableID": "s2"}, {"sessionID": "n2"}], ids=json.dumps)
def test_the_same_event_of_another_device_or_session_is_another(difference: dict[str, str]) -> None:
    requests = sent(_BOUGHT, about=_ABOUT, number=1), sent(_BOUGHT, about=_ABOUT | difference, number=2)

    assert len(_kept(*requests)) == 2


def test_what_the_request_says_of_itself_makes_no_other_event() -> None:
    about = _ABOUT | {"sdkVersion": "2", "retries": 1}
    again = sent(_BOUGHT, about=about, number=2, client_ms=NOW_MS - 5000, key_id="key_2", node="n2")

    assert _kept(sent(_BOUGHT, about=_ABOUT, number=1), again) == [("1", 0)]


def test_projects_are_apart() -> None:
    assert len(_kept(sent(_BOUGHT, number=1), sent(_BOUGHT, number=2, project="other"))) == 2


@pytest.mark.parametrize(
    ("first", "second", "copies"),
    [
        pytest.param({"eventID": "e1"}, {"eventID": "e1", "metadata": {"other": 1}}, True, id="the rest may differ"),
        pytest.param({"eventID": "e1"}, {"eventID": "e2"}, False, id="two ids of events that are alike"),
        pytest.param({"eventID": "e1"}, {"eventID": "e1", "eventName": "b"}, False, id="an id used for another name"),
        pytest.param({"eventID": "e1"}, {"eventID": "e1", "time": 5}, False, id="an id used for another time"),
        pytest.param(
            {"eventID": "e1"}, {"eventID": "e1", "user": {"userID": "u2"}}, False, id="an id used for another user"
        ),
        pytest.param({"eventID": ""}, {"eventID": "", "value": 1}, False, id="an empty id is none"),
        pytest.param({"eventID": ""}, {}, True, id="an empty id is as good as none"),
        pytest.param({"time": 0}, {"time": 0}, False, id="no time, no id"),
        pytest.param({"time": 0, "eventID": "e1"}, {"time": 0, "eventID": "e1"}, True, id="no time, but an id"),
    ],
)
def test_a_sender_s_own_id_decides(first: dict[str, Any], second: dict[str, Any], copies: bool) -> None:
    base = event("a", user="u1", value=2)

    kept = _kept(sent(base | first, number=1), sent(base | second, number=2))

    assert kept == ([("1", 0)] if copies else [("1", 0), ("2", 0)])


def test_days_of_receipt_bound_among_which_rows_copies_are_looked_for() -> None:
    day_ms = 86_400_000
    requests = [sent(_BOUGHT, number=number, received_ms=NOW_MS + number * day_ms) for number in range(3)]

    def days(call: str) -> list[str]:
        return [str(row["received_date"]) for row in answer(requests, f"select received_date from {call} order by all")]

    assert days("events_distinct") == ["2026-01-31"]
    assert days("events_distinct(since := '2026-02-01')") == ["2026-02-01"]
    assert days("events_distinct(since := date '2026-02-01', until := '2026-02-01')") == ["2026-02-01"]
    assert days("events_distinct(until := '2026-01-30')") == []


_FEW = st.sampled_from
_EVENTS = st.fixed_dictionaries(
    {
        "eventName": _FEW(["a", "b"]),
        "time": _FEW([0, 1, 2]),
        "user": _FEW([{}, {"userID": "u1"}, {"email": "u1"}, {"customIDs": {"k": "u1"}}]),
    },
    optional={
        "eventID": _FEW(["", "e1", "e2"]),
        "value": _FEW([1, "1", 2]),
        "metadata": _FEW([{}, {"k": "v"}]),
    },
)


def _model(requests: list[list[dict[str, Any]]]) -> set[tuple[str, int]]:
    """The first of each event, by the words of docs/lake.md."""
    seen: dict[object, tuple[str, int]] = {}
    for number, events in enumerate(requests):
        for index, each in enumerate(events):
            if each.get("eventID"):
                key: object = (each["eventID"], each["eventName"], each["time"], each["user"].get("userID"))
            elif each["time"] == 0:
                key = (number, index)
            else:
                key = json.dumps({name: value for name, value in each.items() if name != "eventID"}, sort_keys=True)
            seen.setdefault(key, (str(number), index))
    return set(seen.values())


@settings(max_examples=50)
@given(st.lists(st.lists(_EVENTS, min_size=1, max_size=4), min_size=1, max_size=4))
@example([[{"eventName": "a", "time": 1, "user": {}}], [{"eventName": "a", "time": 1, "user": {}, "eventID": "e1"}]])
def test_what_is_kept_is_what_the_document_says(requests: list[list[dict[str, Any]]]) -> None:
    records = [sent(*events, number=number, received_ms=NOW_MS + number) for number, events in enumerate(requests)]

    assert set(_kept(*records)) == _model(requests)
