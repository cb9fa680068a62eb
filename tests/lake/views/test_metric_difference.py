"""`metric_difference`: Welch's interval, the delta method, and where there is none."""

import statistics
from math import sqrt
from typing import Any

import duckdb
import pytest

from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_sql import answer, event, exposure, sent

# Quantiles of Student's t at 0.975, from tables.
_T_975 = {
    3: 3.182446,
    4: 2.776445,
    5: 2.570582,
    7: 2.364624,
    10: 2.228139,
    20: 2.085963,
    100: 1.983972,
    10**6: 1.959966,
}


def _units(**groups: list[float]) -> LogRecord:
    """A unit for each value of each group, with one event of that value."""
    units = [
        (f"{group}{number}", group, value) for group, values in groups.items() for number, value in enumerate(values)
    ]
    return sent(
        *(exposure("config", "x", group, user=unit) for unit, group, _ in units),
        *(event("bought", user=unit, at_s=1, value=value) for unit, _, value in units),
    )


def _differences(request: LogRecord, control: str = "c", more: str = "") -> list[dict[str, Any]]:
    return answer([request], f"from metric_difference('x', 'bought', '{control}', measure := 'sum'{more})")


def test_the_interval_is_welch_s() -> None:
    # The same variance and number of units: 2 (6 - 1) = 10 degrees of freedom.
    control, treated = [10.0, 12, 14, 16, 18, 20], [13.0, 15, 17, 19, 21, 23]

    [row] = _differences(_units(c=control, t=treated))

    error = sqrt(statistics.variance(control) / 6 * 2)
    assert (row["group_name"], row["control_name"], row["units"], row["control_units"]) == ("t", "c", 6, 6)
    assert (row["mean"], row["control_mean"], row["difference"]) == (18, 15, 3)
    assert row["degrees_of_freedom"] == pytest.approx(10)
    assert row["t_statistic"] == pytest.approx(3 / error)
    assert row["difference_low"] == pytest.approx(3 - _T_975[10] * error, abs=1e-4)
    assert row["difference_high"] == pytest.approx(3 + _T_975[10] * error, abs=1e-4)


def test_unequal_groups_have_the_degrees_of_freedom_of_welch_and_satterthwaite() -> None:
    control, treated = [1.0, 2, 3, 4, 5, 6, 7, 8], [4.0, 4.5, 5]

    [row] = _differences(_units(c=control, t=treated))

    of_control, of_treated = statistics.variance(control) / 8, statistics.variance(treated) / 3
    freedom = (of_control + of_treated) ** 2 / (of_control**2 / 7 + of_treated**2 / 2)
    assert row["degrees_of_freedom"] == pytest.approx(freedom)


def test_the_relative_difference_has_the_interval_of_the_delta_method() -> None:
    control, treated = [10.0, 12, 14, 16, 18, 20], [13.0, 15, 17, 19, 21, 23]

    [row] = _differences(_units(c=control, t=treated))

    of_mean = statistics.variance(control) / 6
    error = sqrt(of_mean / 15**2 + of_mean * 18**2 / 15**4)
    assert row["relative_difference"] == pytest.approx(0.2)
    assert row["relative_low"] == pytest.approx(0.2 - _T_975[10] * error, abs=1e-5)
    assert row["relative_high"] == pytest.approx(0.2 + _T_975[10] * error, abs=1e-5)


def test_each_other_group_is_compared_with_the_control() -> None:
    rows = _differences(_units(a=[1, 2, 3], b=[4, 5, 6], c=[7, 8, 9]), control="b")

    assert [(row["group_name"], row["difference"]) for row in rows] == [("a", -3), ("c", 3)]


def test_parameters_reach_the_metric() -> None:
    request = _units(a=[1, 2, 3], b=[4, 5, 6], c=[7, 8, 9])

    assert [row["group_name"] for row in _differences(request, more=", only_groups := ['a', 'c']")] == ["a"]
    assert [row["difference"] for row in _differences(request, more=", days := 0")] == [0, 0]


@pytest.mark.parametrize(
    ("control", "treated", "missing"),
    [
        pytest.param(
            [1.0], [2.0, 3.0], {"difference_low", "relative_low", "t_statistic"}, id="one unit has no variance"
        ),
        pytest.param([1.0, 3.0], [2.0, 3.0], {"difference_low", "relative_low"}, id="below 3 degrees of freedom"),
        pytest.param([1.0] * 5, [2.0] * 5, {"difference_low", "relative_low", "t_statistic"}, id="no variance at all"),
        pytest.param(
            [-1.0, 0, 1, 0, 1], [2.0, 3, 4, 3, 2], {"relative_low", "relative_difference"}, id="control near 0"
        ),
        pytest.param([-9.0, -8, -9, -8], [2.0, 3, 4, 3], {"relative_low", "relative_difference"}, id="control below 0"),
    ],
)
def test_there_is_no_interval_where_it_would_mean_nothing(
    control: list[float], treated: list[float], missing: set[str]
) -> None:
    [row] = _differences(_units(c=control, t=treated))

    looked_at = {"difference", "difference_low", "relative_difference", "relative_low", "t_statistic"}
    assert {name for name in looked_at if row[name] is None} >= missing
    assert row["difference"] == pytest.approx(statistics.mean(treated) - statistics.mean(control))


def test_a_control_that_no_unit_saw_is_an_error_not_a_blank() -> None:
    with pytest.raises(duckdb.Error, match="control: no unit saw the group typo"):
        _differences(_units(a=[1, 2], b=[3, 4]), control="typo")


def test_the_quantiles_are_those_of_the_tables() -> None:
    [row] = answer([_units(a=[1])], f"select {', '.join(f'student_t_975({df}) as t{df}' for df in _T_975)}")

    assert row["t3"] == pytest.approx(_T_975[3], rel=0.0013)
    for degrees, quantile in list(_T_975.items())[1:]:
        assert row[f"t{degrees}"] == pytest.approx(quantile, rel=0.0004 if degrees < 10 else 1e-5)
