"""The tables take turns: one that fails holds up no other, and a drain ends when nothing more can be done."""

import os
from collections.abc import Callable, Iterator

import pytest

from sluice.lake.turns import Loop, Outcome


class _Writer:
    """Comes to what it is told, again and again the last; and does something at its n-th turn."""

    leaves_some = False

    def __init__(self, *outcomes: Outcome, then: tuple[int, Callable[[], None]] | None = None) -> None:
        self._outcomes = outcomes
        self._then = then
        self.turns = 0
        self.hurried: list[bool] = []

    def run_once(self, now: float, *, at_once: bool = False) -> Outcome:
        assert now > 0
        self.turns += 1
        self.hurried.append(at_once)
        if self._then is not None and self.turns == self._then[0]:
            self._then[1]()
        return self._outcomes[min(self.turns, len(self._outcomes)) - 1]


@pytest.fixture
def lifeline() -> Iterator[tuple[int, Callable[[], None]]]:
    """The end that the loop watches, and what lets it end."""
    read, write = os.pipe()
    yield read, lambda: os.close(write)
    os.close(read)


def test_a_table_that_fails_holds_up_no_other(lifeline: tuple[int, Callable[[], None]]) -> None:
    failing = _Writer(Outcome.FAILED)
    other = _Writer(Outcome.PUBLISHED, then=(60, lifeline[1]))

    code = Loop([failing, other], lifeline[0]).run()

    assert code == 0
    assert other.turns == 60
    assert failing.turns < 30


def test_tables_that_have_something_to_do_take_turns(lifeline: tuple[int, Callable[[], None]]) -> None:
    first = _Writer(Outcome.PUBLISHED)
    second = _Writer(Outcome.PUBLISHED, then=(10, lifeline[1]))

    Loop([first, second], lifeline[0]).run()

    assert (first.turns, second.turns) == (10, 10)


def _drained(*writers: _Writer) -> int:
    loop = Loop(writers, None)
    loop._on_sigterm(0, None)
    return loop.run()


def test_a_drain_ends_when_each_table_is_idle() -> None:
    first, second = _Writer(Outcome.IDLE), _Writer(Outcome.PUBLISHED, Outcome.PUBLISHED, Outcome.IDLE)

    assert _drained(first, second) == 0
    assert (first.turns, second.turns) == (1, 3)
    assert all([*first.hurried, *second.hurried])


def test_a_drain_gives_up_on_a_table_that_fails_and_finishes_the_other() -> None:
    failing, other = _Writer(Outcome.FAILED), _Writer(Outcome.PUBLISHED, Outcome.PUBLISHED, Outcome.IDLE)

    assert _drained(failing, other) == 1
    assert (failing.turns, other.turns) == (3, 3)
