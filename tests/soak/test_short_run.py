"""What `make soak` does, for less than a minute; and that it would notice."""

from pathlib import Path

import pytest

from tests.soak.plan import Chosen, Plan
from tests.soak.report import report
from tests.soak.soak import Limits, Result, Soak
from tests.support.ledger.ledger import Outcome

_SEED = 20260101
_KILLS = 16


def _run(folder: Path, plan: Plan | Chosen, *, kills: int, plant: str = "") -> Result:
    environment = {"PLANTED_FAULT": plant} if plant else {}
    limits = Limits(kills=kills, check_every=kills)
    result = Soak(folder, limits, plan=plan, seed=_SEED, environment=environment, tell=print).run()
    print(report(result))
    return result


@pytest.mark.timeout(900)  # on a machine that others use too, each start may take many times as long
def test_kills_of_all_kinds_under_load_break_no_promise(tmp_path: Path) -> None:
    result = _run(tmp_path, Plan(_KILLS, seed=_SEED), kills=_KILLS)

    assert result.violations == []
    assert result.tally.kills.total() >= _KILLS
    assert result.ledger is not None
    classes = result.ledger.classes()
    assert min(classes[Outcome.ACKNOWLEDGED], classes[Outcome.REFUSED]) > 0
    assert classes[Outcome.FAILED] + classes[Outcome.UNANSWERED] > 0


@pytest.mark.timeout(900)  # as above
@pytest.mark.parametrize(
    ("plant", "acts", "seen"),
    [
        pytest.param(
            "acknowledged_before_written",
            ["append: before write"],
            "acknowledged, and not in the lake",
            id="an answer before the record is written",
        ),
        pytest.param(
            "names_no_segments",
            ["let_go: before unlink another segment"],
            "in the lake more than once",
            id="a file that doesn't name its segments",
        ),
    ],
)
def test_a_broken_promise_is_noticed(tmp_path: Path, plant: str, acts: list[str], seen: str) -> None:
    result = _run(tmp_path, Chosen(acts, seed=_SEED), kills=2, plant=plant)

    assert any(seen in violation for violation in result.violations)
