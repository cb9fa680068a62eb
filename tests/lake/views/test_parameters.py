"""The parameters that the functions for experiments share mean the same in each."""

from typing import Any

import pytest

from tests.support.lake_sql import NOW_MS, answer, event, exposure, sent

_DAY_MS = 86_400_000


def _who(number: int) -> dict[str, Any]:
    return {"userID": f"u{number}", "customIDs": {"stableID": f"s{number % 5}", "companyID": f"c{number % 7}"}}


def _day(day: int) -> list[dict[str, Any]]:
    """Exposures of both groups by two rules, crossovers and some that are in none; and events of changing values."""
    users = range(day * 4, day * 4 + 9)
    events = []
    for number in users:
        passed = "true" if (number + (number == 4 * day)) % 2 else "false"
        rule = ("r1:50.00:6", "r2", "default")[number % 3]
        events.append(exposure("gate", "x", rule, user=_who(number), at_s=number, gateValue=passed))
        events.append(event("bought", user=_who(number), at_s=number + day * 50_000, value=number))
    return events


_REQUESTS = [sent(*_day(day), number=day, received_ms=NOW_MS + day * _DAY_MS) for day in range(3)]
_SHARED = [
    "unit_type := 'userID'",
    "keep_crossovers := true",
    "rule := 'r1'",
    "unit_type := 'stableID'",
    "unit_type := 'companyID', keep_crossovers := true",
    "since := '2026-02-01'",
    "until := '2026-01-31'",
]


def _by_group(parameters: str) -> dict[str, dict[str, Any]]:
    rows = answer(_REQUESTS, f"from metric_by_group('x', 'bought', {parameters})")
    return {row["group_name"]: row for row in rows}


@pytest.mark.parametrize(
    "parameters", [*_SHARED, "measure := 'sum'", "measure := 'any'", "days := 0.5", "only_groups := ['pass', 'fail']"]
)
def test_a_difference_is_that_of_the_metric(parameters: str) -> None:
    groups = _by_group(parameters)

    [row] = answer(_REQUESTS, f"from metric_difference('x', 'bought', 'fail', {parameters})")

    assert (row["units"], row["control_units"]) == (groups["pass"]["units"], groups["fail"]["units"])
    assert (row["mean"], row["control_mean"]) == (groups["pass"]["mean"], groups["fail"]["mean"])


@pytest.mark.parametrize("parameters", _SHARED)
def test_a_sample_ratio_is_of_the_units_that_the_metric_counts(parameters: str) -> None:
    groups = _by_group(parameters)

    rows = answer(_REQUESTS, f"from sample_ratio('x', {parameters})")

    assert [(row["group_name"], row["units"], row["crossover_units"]) for row in rows] == [
        (name, group["units"], group["crossover_units"]) for name, group in groups.items()
    ]


def test_each_of_these_parameters_changes_the_answer() -> None:
    answers = [str(_by_group(parameters)) for parameters in [*_SHARED, "measure := 'sum'", "days := 0.5"]]

    assert len(set(answers)) == len(answers)
