"""`sample_ratio`: Pearson's test of the groups' sizes, and its verdicts."""

import math
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.lake.views import sql_of
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_sql import answer, exposure, sent


def _units(**groups: int) -> LogRecord:
    """So many units in each group."""
    return sent(
        *(
            exposure("config", "x", group, user=f"{group}{number}")
            for group, units in groups.items()
            for number in range(units)
        )
    )


def _ratio(request: LogRecord, more: str = "") -> list[dict[str, Any]]:
    return answer([request], f"from sample_ratio('x'{more})")


def test_equal_shares_are_expected_where_none_are_named() -> None:
    # (40 - 50)² / 50 · 2 = 4; the probability of 4 or more with 1 degree of freedom is 0.0455.
    rows = _ratio(_units(a=40, b=60))

    columns = ("group_name", "units", "share", "expected_share", "expected_units", "chi_square", "degrees_of_freedom")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("a", 40, 0.4, 0.5, 50, 4, 1),
        ("b", 60, 0.6, 0.5, 50, 4, 1),
    ]
    assert [row["p_value"] for row in rows] == [pytest.approx(0.04550026389635839)] * 2
    assert [row["verdict"] for row in rows] == ["ok", "ok"]


def test_other_shares_are_named_in_any_unit() -> None:
    request = _units(a=150, b=50, c=100)

    even = _ratio(request)
    as_named = _ratio(request, ", shares := MAP {'a': 3, 'b': 1, 'c': 2}")

    assert (even[0]["chi_square"], even[0]["degrees_of_freedom"], even[0]["verdict"]) == (50, 2, "mismatch")
    assert even[0]["p_value"] == pytest.approx(math.exp(-25))
    assert [row["expected_units"] for row in as_named] == pytest.approx([150, 50, 100])
    assert (as_named[0]["p_value"], as_named[0]["verdict"]) == (1, "ok")


def test_a_group_that_is_not_named_is_shown_and_not_tested() -> None:
    rows = _ratio(_units(a=20, b=20, holdout=7), ", shares := MAP {'a': 0.5, 'b': 0.5}")

    columns = ("group_name", "expected_units", "degrees_of_freedom", "verdict")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("a", 20, 1, "ok"),
        ("b", 20, 1, "ok"),
        ("holdout", None, 1, "not tested"),
    ]


def test_a_group_that_nobody_saw_is_a_mismatch() -> None:
    rows = _ratio(_units(a=30), ", shares := MAP {'a': 1, 'b': 1}")

    assert [(row["group_name"], row["units"], row["expected_units"], row["verdict"]) for row in rows] == [
        ("a", 30, 15, "mismatch"),
        ("b", 0, 15, "mismatch"),
    ]


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        pytest.param({"a": 9}, "one group", id="nothing to compare"),
        pytest.param({"a": 8, "b": 1}, "too few units", id="4.5 expected"),
        pytest.param({"a": 10, "b": 0}, "one group", id="a group without units is not known of"),
        pytest.param({"a": 9, "b": 1}, "ok", id="5 expected, p = 0.011"),
        pytest.param({"a": 447, "b": 553}, "mismatch", id="p = 0.0008"),
        pytest.param({"a": 449, "b": 551}, "ok", id="p = 0.0013"),
    ],
)
def test_the_verdict_says_what_the_test_is_worth(groups: dict[str, int], verdict: str) -> None:
    assert {row["verdict"] for row in _ratio(_units(**groups))} == {verdict}


def test_each_project_is_tested_by_itself() -> None:
    requests = [_units(a=10, b=10), _units(a=10, b=30)]
    requests[1].project = "other"

    rows = answer(requests, "select distinct project, chi_square from sample_ratio('x') order by all")

    assert [(row["project"], row["chi_square"]) for row in rows] == [("default", 0), ("other", 10)]


def test_where_all_units_are_crossovers_there_is_nothing_to_test() -> None:
    crossed = [("u1", "ab"), ("u2", "ba")]
    rows = _ratio(
        sent(*(exposure("config", "x", rule, user=u, at_s=at) for u, rules in crossed for at, rule in enumerate(rules)))
    )

    assert [(row["units"], row["share"], row["chi_square"], row["verdict"]) for row in rows] == [
        (0, None, None, "too few units"),
        (0, None, None, "too few units"),
    ]


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(duckdb.Error, match="shares: b: not above 0"):
        _ratio(_units(a=1, b=1), ", shares := MAP {'a': 1, 'b': 0}")


# Where the distribution's upper tail is 0.05 or 0.001, from tables.
_CRITICAL = [
    *((3.841458820694124, 1, 0.05), (5.991464547107979, 2, 0.05), (7.814727903251179, 3, 0.05)),
    *((9.487729036781154, 4, 0.05), (11.070497693516351, 5, 0.05), (18.307038053275146, 10, 0.05)),
    *((43.77297182574219, 30, 0.05), (124.34211340400407, 100, 0.05)),
    *((10.827566170662733, 1, 0.001), (13.815510557964274, 2, 0.001), (16.26623619623813, 3, 0.001)),
]


def _p_values(*arguments: tuple[float, int]) -> list[float]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE events AS SELECT 1")
        for statement in sql_of("sample_ratio").split(";")[:2]:
            connection.execute(statement)
        return [
            connection.execute("select chi_square_p_value($1::double, $2::bigint)", [x, df]).fetchall()[0][0]
            for x, df in arguments
        ]


def test_p_values_are_those_of_the_tables() -> None:
    assert _p_values(*((x, df) for x, df, _ in _CRITICAL)) == pytest.approx([p for _, _, p in _CRITICAL], rel=1e-12)


@pytest.mark.parametrize(
    ("x", "df", "p"),
    [
        (0, 1, 1),
        (0, 4, 1),
        (100, 1, math.erfc(math.sqrt(50))),
        (300, 2, math.exp(-150)),
        (1e5, 3, 0),
        (1e-9, 1, 1 - 2.523132522e-05),
    ],
)
def test_p_values_hold_in_the_far_tails(x: float, df: int, p: float) -> None:
    assert _p_values((x, df)) == [pytest.approx(p, rel=1e-8)]


def _upper_gamma(a: float, x: float) -> float:
    """The regularized upper incomplete gamma function: its series, or beyond a + 1 its continued fraction (Lentz)."""
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 1000):
            term *= x / (a + n)
            total += term
        return 1 - total * scale
    b = x + 1 - a
    c, d = math.inf, 1 / b
    fraction = d
    for n in range(1, 1000):
        b += 2
        d = 1 / (b - n * (n - a) * d)
        c = b - n * (n - a) / c
        fraction *= c * d
    return fraction * scale


@settings(max_examples=50)
@given(st.floats(0.01, 400), st.integers(1, 60))
def test_p_values_are_those_of_the_incomplete_gamma_function(x: float, df: int) -> None:
    assert _p_values((x, df)) == [pytest.approx(_upper_gamma(df / 2, x / 2), rel=1e-8, abs=1e-13)]
