"""`exposures`: the first exposure of each unit to each experiment, and what is none."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_sql import NOW_MS, START_MS, answer, event, exposure, sent

_NONE = [
    "",
    "default",
    "disabled",
    "prestart",
    "layerAssignment",
    "targetingGate",
    "inlineTargetingRules",
    "launchedGroup",
]
_OVERRIDES = ["override", "49CGlT:override", "49CGlT:userID:id_override", "checkout 49CGlT:id_override"]


def _exposures(*records: LogRecord, view: str = "exposures") -> list[dict[str, Any]]:
    """The rows, with times as `event` takes them."""
    at_s = f"(epoch_us(first_exposed_at) - {START_MS * 1000}) / 1e6"
    return answer(
        records,
        f"select * replace ({at_s} as first_exposed_at) from {view}"
        " order by project, unit_id, experiment_kind, experiment",
    )


def _one(*events: dict[str, Any], view: str = "exposures") -> dict[str, Any]:
    [row] = _exposures(sent(*events), view=view)
    return row


def test_the_first_exposure_of_each_unit_to_each_experiment_is_a_row() -> None:
    rows = _exposures(
        sent(
            exposure("config", "checkout", "a", user="u1", at_s=20),
            exposure("config", "checkout", "a", user="u1", at_s=10),
            exposure("config", "checkout", "b", user="u2", at_s=30),
            exposure("gate", "new_menu", "r1", user="u1", at_s=5, gateValue="true"),
            event("bought", user="u1"),
        )
    )

    columns = ("unit_id", "experiment_kind", "experiment", "group_name", "first_exposed_at", "exposure_events")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("u1", "experiment", "checkout", "a", 10, 2),
        ("u1", "gate", "new_menu", "pass", 5, 1),
        ("u2", "experiment", "checkout", "b", 30, 1),
    ]
    first = rows[0]
    assert (first["project"], first["unit_type"], first["assignment"], first["rule_id"], first["groups_seen"]) == (
        *("default", "userID", "group", "a"),
        1,
    )
    assert first["event_index"] == 1


def test_a_resend_changes_nothing_but_the_count_of_exposures() -> None:
    events = [exposure("config", "checkout", group, user="u1", at_s=at) for group, at in (("b", 9), ("a", 3))]
    once = _exposures(sent(*events, number=1))

    twice = _exposures(sent(*events, number=1), sent(*events, number=2, received_ms=NOW_MS + 60_000, client_ms=NOW_MS))

    assert twice == [once[0] | {"exposure_events": 4}]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"gateValue": "true"}, ("group", "pass")),
        ({"gateValue": "false"}, ("group", "fail")),
        ({}, ("none", None)),
    ],
)
def test_the_groups_of_a_gate_are_pass_and_fail(metadata: dict[str, str], expected: tuple[str, str]) -> None:
    row = _one(exposure("gate", "g", "59nk:50.00:6", user="u1", **metadata))

    assert ((row["assignment"], row["group_name"]), row["rule_id"]) == (expected, "59nk:50.00:6")


@pytest.mark.parametrize(
    ("rule", "assignment"),
    [
        *((rule, "none") for rule in [None, *_NONE]),
        *((rule, "override") for rule in _OVERRIDES),
        *((rule, "group") for rule in ("49CGlT", "49CGlT:explore", "control", "Default")),
    ],
)
def test_the_rule_tells_whether_the_unit_is_in_a_group(rule: str | None, assignment: str) -> None:
    row = _one(exposure("config", "checkout", rule, user="u1"))

    assert (row["assignment"], row["group_name"]) == (assignment, rule)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(["prestart", "a"], ("group", "a", 1, 1), id="before the experiment began"),
        pytest.param(["a", "launchedGroup"], ("group", "a", 0, 1), id="after it ended"),
        pytest.param(["a", "default", "b"], ("group", "a", 0, 2), id="a crossover"),
        pytest.param(["a", "b", "a"], ("group", "a", 0, 2), id="a crossover and back"),
        pytest.param(["a:override", "a"], ("override", "a:override", 0, 1), id="forced at first"),
        pytest.param(["prestart", "a:override", "b"], ("override", "a:override", 1, 1), id="forced before any group"),
        pytest.param(["a", "b:override"], ("group", "a", 0, 1), id="forced later"),
        pytest.param(["default", "disabled"], ("none", "default", 0, 0), id="never in a group"),
    ],
)
def test_the_first_group_counts_and_further_groups_are_counted(seen: list[str], expected: tuple[Any, ...]) -> None:
    row = _one(*(exposure("config", "checkout", rule, user="u1", at_s=at) for at, rule in enumerate(seen)))

    assert (row["assignment"], row["group_name"], row["first_exposed_at"], row["groups_seen"]) == expected


def test_a_layer_s_exposure_is_one_of_the_experiment_that_it_allocated() -> None:
    rows = _exposures(
        sent(
            exposure("layer", "screen", "a", user="u1", at_s=2, allocatedExperiment="checkout", parameterName="p"),
            exposure("config", "checkout", "a", user="u1", at_s=1),
            exposure("layer", "screen", "a", user="u2", allocatedExperiment="", parameterName="p"),
            exposure("layer", "screen", "a", user="u3", parameterName="p"),
        )
    )

    named = [(row["unit_id"], row["experiment_kind"], row["experiment"], row["assignment"]) for row in rows]
    assert named == [
        ("u1", "experiment", "checkout", "group"),
        ("u2", "layer", "screen", "none"),
        ("u3", "layer", "screen", "none"),
    ]
    assert (rows[0]["first_exposed_at"], rows[0]["exposure_events"]) == (1, 2)


def test_a_gate_and_an_experiment_of_one_name_and_two_projects_are_apart() -> None:
    gate, config = exposure("gate", "x", "r", user="u1", gateValue="true"), exposure("config", "x", "a", user="u1")

    rows = _exposures(sent(gate, config), sent(config, project="other", number=1))

    assert [(row["project"], row["experiment_kind"], row["groups_seen"]) for row in rows] == [
        ("default", "experiment", 1),
        ("default", "gate", 1),
        ("other", "experiment", 1),
    ]


def test_ties_go_to_what_came_first() -> None:
    first = sent(exposure("config", "x", "b", user="u1"), number=2)
    second = sent(
        *(exposure("config", "x", rule, user="u1") for rule in ("c", "a")),
        number=1,
        received_ms=NOW_MS + 5,
        client_ms=NOW_MS + 5,
    )

    [row] = _exposures(second, first)
    [of_second] = _exposures(second)

    assert (row["group_name"], row["request_id"][-1]) == ("b", "2")
    assert (of_second["group_name"], of_second["event_index"]) == ("c", 0)


@pytest.mark.parametrize(
    ("unit_type", "expected"),
    [
        ("userID", "u1"),
        ("USERID", "u1"),
        ("stableID", "s1"),
        ("companyID", "c1"),
        ("Shop", "h1"),
        ("nobodyhasthis", None),
    ],
)
def test_a_unit_is_a_user_a_device_or_a_custom_id(unit_type: str, expected: str | None) -> None:
    who = {"userID": "u1", "customIDs": {"stableID": "s1", "companyID": "c1", "shop": "h1"}}

    rows = _exposures(sent(exposure("config", "x", "a", user=who)), view=f"exposures('{unit_type}')")

    assert [(row["unit_type"], row["unit_id"]) for row in rows] == ([(unit_type, expected)] if expected else [])


@pytest.mark.parametrize("user", [None, {}, "", {"email": "a@b.c"}])
def test_an_exposure_without_the_unit_s_id_is_left_out(user: Any) -> None:
    assert _exposures(sent(exposure("config", "x", "a", user=user))) == []


@pytest.mark.parametrize("name", ["", None])
def test_an_exposure_to_nothing_is_left_out(name: Any) -> None:
    assert _exposures(sent(exposure("config", name, "a", user="u1"))) == []


def test_days_of_receipt_bound_what_is_read() -> None:
    day_ms = 86_400_000
    requests = [
        sent(exposure("config", "x", rule, user="u1"), number=day, received_ms=NOW_MS + day * day_ms, client_ms=NOW_MS)
        for day, rule in enumerate("abc")
    ]

    assert _exposures(*requests)[0]["groups_seen"] == 3
    [row] = _exposures(*requests, view="exposures(since := '2026-02-01', until := '2026-02-01')")
    assert (row["group_name"], row["groups_seen"]) == ("b", 1)


_SEEN = st.tuples(
    st.sampled_from(["u1", "u2"]), st.integers(0, 5), st.sampled_from(["a", "b", "a:override", "default"])
)


def _model(seen: list[tuple[str, int, str]]) -> dict[str, tuple[str, int, int, int]]:
    """By unit: the group, the time of the first exposure, how many groups, how many exposures."""
    found = {}
    in_order = sorted(enumerate(seen), key=lambda each: (each[1][0], each[1][1], each[0]))
    for unit, group in itertools.groupby(in_order, key=lambda each: each[1][0]):
        exposures = [(at, rule) for _, (_, at, rule) in group]
        at, rule = next((each for each in exposures if each[1] != "default"), exposures[0])
        found[unit] = (rule, at, len({rule for _, rule in exposures} & {"a", "b"}), len(exposures))
    return found


@settings(max_examples=50)
@given(st.lists(_SEEN, min_size=1, max_size=12))
def test_what_is_first_is_what_the_document_says(seen: list[tuple[str, int, str]]) -> None:
    rows = _exposures(sent(*(exposure("config", "x", rule, user=unit, at_s=at) for unit, at, rule in seen)))

    columns = ("group_name", "first_exposed_at", "groups_seen", "exposure_events")
    assert {row["unit_id"]: tuple(row[column] for column in columns) for row in rows} == _model(seen)
