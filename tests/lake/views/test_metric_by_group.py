"""`metric_by_group`: which units and which events count, and the figures that come of them."""

import statistics
from math import sqrt
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_sql import NOW_MS, answer, event, exposure, sent

_DAY_S = 86_400


def _groups(*records: LogRecord, more: str = "") -> dict[str, dict[str, Any]]:
    rows = answer(records, f"from metric_by_group('x', 'bought'{more})")
    return {row["group_name"]: row for row in rows}


def _seen(user: Any, group: str, at_s: float = 0) -> dict[str, Any]:
    return exposure("config", "x", group, user=user, at_s=at_s)


def _bought(user: Any, at_s: float = 1, **more: Any) -> dict[str, Any]:
    return event("bought", user=user, at_s=at_s, **more)


# Group a: u1 bought twice (3, 5), u2 once without a number, u3 never. Group b: u4 once (2).
_KNOWN = sent(
    *(_seen(user, group) for user, group in (("u1", "a"), ("u2", "a"), ("u3", "a"), ("u4", "b"))),
    *(_bought("u1", at_s=1, value=3), _bought("u1", at_s=2, value="5"), _bought("u2", value="none")),
    *(_bought("u4", value=2), event("sold", user="u4", at_s=1, value=100)),
)


@pytest.mark.parametrize(
    ("measure", "of_units"),
    [("count", [2, 1, 0]), ("sum", [8, 0, 0]), ("any", [1, 1, 0])],
)
def test_the_figures_of_a_group_are_those_of_its_units(measure: str, of_units: list[int]) -> None:
    groups = _groups(_KNOWN, more=f", measure := '{measure}'")

    variance = statistics.variance(of_units)
    assert groups["a"] == {
        "project": "default",
        "experiment_kind": "experiment",
        "group_name": "a",
        "units": 3,
        "crossover_units": 0,
        "units_with_event": 2,
        "events": 3,
        "total": sum(of_units),
        "mean": pytest.approx(statistics.mean(of_units)),
        "variance": pytest.approx(variance),
        "standard_error": pytest.approx(sqrt(variance / 3)),
    }
    assert (groups["b"]["units"], groups["b"]["variance"], groups["b"]["standard_error"]) == (1, None, None)


def test_count_is_the_measure_unless_another_is_asked_for() -> None:
    assert _groups(_KNOWN) == _groups(_KNOWN, more=", measure := 'count'")


def test_events_count_from_the_first_exposure_on() -> None:
    events = [_seen("u1", "a", at_s=10), _seen("u1", "a", at_s=99), *(_bought("u1", at_s=at) for at in (9.999, 10, 50))]

    assert _groups(sent(*events))["a"]["events"] == 2


@pytest.mark.parametrize(("days", "events"), [("NULL", 5), ("7", 3), ("1", 2), ("0.5", 1), ("0", 0)])
def test_days_end_the_time_in_which_events_count(days: str, events: int) -> None:
    first = -10 * _DAY_S
    times = (first, first + _DAY_S - 1, first + _DAY_S, first + 7 * _DAY_S, 0)

    request = sent(_seen("u1", "a", at_s=first), *(_bought("u1", at_s=at) for at in times))

    assert _groups(request, more=f", days := {days}")["a"]["events"] == events


def test_a_resent_event_counts_once() -> None:
    events = [_seen("u1", "a"), _bought("u1", value=3)]

    groups = _groups(
        sent(*events, number=1), sent(*events, number=2, received_ms=NOW_MS + 9), more=", measure := 'sum'"
    )

    assert (groups["a"]["units"], groups["a"]["events"], groups["a"]["total"]) == (1, 1, 3)


def test_crossovers_are_counted_apart_unless_they_are_to_be_kept() -> None:
    request = sent(
        *(_seen("u1", "a"), _bought("u1")),
        *(_seen("u2", "a"), _seen("u2", "b", at_s=5), _bought("u2")),
        *(_seen("u3", "b"),),
    )

    def counts(more: str) -> list[tuple[Any, ...]]:
        columns = ("group_name", "units", "crossover_units", "units_with_event", "events", "total", "mean")
        return [tuple(row[column] for column in columns) for row in _groups(request, more=more).values()]

    assert counts("") == [("a", 1, 1, 1, 1, 1, 1), ("b", 1, 0, 0, 0, 0, 0)]
    assert counts(", keep_crossovers := true") == [("a", 2, 1, 2, 2, 2, 1), ("b", 1, 0, 0, 0, 0, 0)]


def test_units_that_are_in_no_group_or_were_forced_into_one_do_not_count() -> None:
    request = sent(_seen("u1", "a"), _seen("u2", "default"), _seen("u3", "a:override"), _bought("u2"), _bought("u3"))

    assert {name: row["units"] for name, row in _groups(request).items()} == {"a": 1}


def test_events_of_another_project_or_user_do_not_count() -> None:
    groups = _groups(sent(_seen("u1", "a"), _bought("u2")), sent(_bought("u1"), project="other", number=1))

    assert (groups["a"]["units"], groups["a"]["events"]) == (1, 0)


def test_only_the_groups_that_are_named_are_compared() -> None:
    request = sent(*(_seen(f"u{number}", group) for number, group in enumerate(("a", "b", "holdout"))))

    assert list(_groups(request, more=", only_groups := ['a', 'b']")) == ["a", "b"]


@pytest.mark.parametrize(("rule", "units"), [("59nk", 2), ("59nk:50.00:6", 1), ("59n", 0), ("7Rul", 1)])
def test_a_rule_is_named_with_or_without_its_rollout(rule: str, units: int) -> None:
    rules = ("59nk:50.00:6", "59nk:100.00:7", "7Rul")
    request = sent(
        *(exposure("gate", "x", each, user=f"u{number}", gateValue="true") for number, each in enumerate(rules))
    )

    groups = _groups(request, more=f", rule := '{rule}'")

    assert sum(row["units"] for row in groups.values()) == units


def test_a_metric_is_of_any_unit_that_exposures_and_events_name() -> None:
    def of(user: str) -> dict[str, Any]:
        return {"userID": user, "customIDs": {"companyID": "c1"}}

    request = sent(_seen(of("u1"), "a"), _bought(of("u2")), _bought(of("u3"), at_s=2))

    assert _groups(request)["a"]["events"] == 0
    assert _groups(request, more=", unit_type := 'companyID'")["a"]["events"] == 2


def test_days_of_receipt_bound_exposures_and_events() -> None:
    events = [_bought("u1", at_s=1), _seen("u1", "a"), _bought("u1", at_s=2), _bought("u1", at_s=3)]
    days = [
        sent(each, number=number, received_ms=NOW_MS + number * _DAY_S * 1000) for number, each in enumerate(events)
    ]

    def counted(more: str) -> list[int]:
        return [row["events"] for row in _groups(*days, more=more).values()]

    assert counted("") == [3]
    assert counted(", since := '2026-02-01'") == [2]
    assert counted(", until := '2026-02-02'") == [2]
    assert counted(", since := '2026-02-02'") == []


def test_a_measure_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(duckdb.Error, match="measure: expected count, sum or any, got avg"):
        _groups(_KNOWN, more=", measure := 'avg'")


_EXPOSED = st.dictionaries(
    st.sampled_from(["u1", "u2", "u3", "u4", "u5"]), st.tuples(st.sampled_from("ab"), st.integers(0, 9)), min_size=1
)
_EVENTS = st.lists(st.tuples(st.sampled_from(["u1", "u2", "u3", "u4", "u9"]), st.integers(0, 20), st.integers(-3, 3)))


@settings(max_examples=50)
@given(_EXPOSED, _EVENTS)
def test_the_figures_are_those_of_a_plain_count(
    exposed: dict[str, tuple[str, int]], events: list[tuple[str, int, int]]
) -> None:
    # The metadata tell events apart that are alike else.
    request = sent(
        *(_seen(unit, group, at_s=at) for unit, (group, at) in exposed.items()),
        *(_bought(unit, at, value=value, metadata={"n": n}) for n, (unit, at, value) in enumerate(events)),
    )
    expected = {}
    for group in {group for group, _ in exposed.values()}:
        values = [
            [value for who, when, value in events if who == unit and when >= at]
            for unit, (its_group, at) in exposed.items()
            if its_group == group
        ]
        sums = [sum(each) for each in values]
        variance = statistics.variance(sums) if len(sums) > 1 else None
        expected[group] = (
            *(len(values), sum(map(bool, values)), sum(map(len, values)), sum(sums)),
            *(pytest.approx(statistics.mean(sums)), None if variance is None else pytest.approx(variance)),
        )

    groups = _groups(request, more=", measure := 'sum'")

    columns = ("units", "units_with_event", "events", "total", "mean", "variance")
    assert {name: tuple(row[column] for column in columns) for name, row in groups.items()} == expected
