"""What was promised holds whenever the power fails in a day's work, and when it fails again."""

import random
from pathlib import Path

import pytest

from tests.power_cut.effort import FACTOR
from tests.power_cut.fates import Chance, Nothing, Undone
from tests.power_cut.history import History
from tests.power_cut.life import Life
from tests.power_cut.realistic_run import first_day, second_day
from tests.power_cut.trees import read_tree
from tests.power_cut.walk import State, Walk, cut, prefixes, states_of

_DAYS = range(2 * FACTOR)


def _some_states(history: History, number: int, *, seed: int, before: State | None = None) -> list[State]:
    """Power cuts after so many operations, all of them behind the first tenth."""
    last = sum(1 for _ in prefixes(history)) - 1
    chosen = random.Random(seed).sample(range(last // 10, last), number)
    return [
        cut(replay, Chance((seed, replay.operations)), before)
        for replay in prefixes(history, before)
        if replay.operations in chosen
    ]


@pytest.fixture(params=_DAYS)
def seed(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


def _day(scratch: Path, seed: int) -> History:
    return Life(scratch / "day", seed=seed, archive=_archives(seed)).run(first_day)


def _archives(seed: int) -> bool:
    return seed % 2 == 1


def test_the_run_has_what_makes_it_realistic(scratch: Path, seed: int) -> None:
    life = Life(scratch / "day", seed=seed)
    history = life.run(first_day)

    replay = list(prefixes(history))[-1]
    assert history.faults == [], "a fault was planned and never met"
    assert replay.operations > 250
    assert replay.ledger.counts() == {"acknowledged": 25, "refused": 4, "unanswered": 3}
    assert replay.file_system.as_processes_see_it() == read_tree(scratch / "day")


def test_a_power_cut_after_any_operation_of_a_days_work(scratch: Path, seed: int) -> None:
    walk = Walk(scratch, archive=_archives(seed))

    for state in states_of(_day(scratch, seed), lambda number: [Nothing(), Undone(), Chance((seed, number))]):
        walk.check(state)

    assert walk.states > 750


def test_a_power_cut_after_any_operation_of_the_day_after_one(scratch: Path, seed: int) -> None:
    walk = Walk(scratch, archive=_archives(seed))

    for state in _some_states(_day(scratch, seed), 2, seed=seed):
        life = Life(scratch / "next", seed=seed, archive=_archives(seed), state=state, name="b")
        for later in states_of(life.run(second_day), lambda number: [Nothing(), Chance((seed, number))], before=state):
            walk.check(later)

    assert walk.states > 300


def test_a_power_cut_after_any_operation_of_the_restart_after_one_and_then_another(scratch: Path, seed: int) -> None:
    walk = Walk(scratch, archive=_archives(seed))

    for state in _some_states(_day(scratch, seed), 6, seed=seed):
        restarted = walk.record_restart(state)
        for later in states_of(restarted, lambda number: [Nothing(), Chance((seed, number))], before=state):
            walk.check(later)
        for later in _some_states(restarted, 3, seed=seed, before=state):
            for last in states_of(walk.record_restart(later), lambda number: [Chance((seed, number))], before=later):
                walk.check(last)

    assert walk.states > 300
