"""Which segments a lake writer's death is laid to."""

import signal

import pytest

from sluice.supervisor.blame import Blame, is_broken, is_own_fault


@pytest.mark.parametrize(
    ("exit_code", "own"),
    [
        pytest.param(1, True, id="an error"),
        pytest.param(-signal.SIGSEGV, True, id="a crash"),
        pytest.param(-signal.SIGABRT, True, id="an abort"),
        pytest.param(-signal.SIGKILL, False, id="SIGKILL"),
        pytest.param(-signal.SIGTERM, False, id="SIGTERM"),
        pytest.param(0, False, id="it just ended"),
    ],
)
def test_an_exit_code_or_a_signal_of_its_own_is_its_own_fault(exit_code: int, own: bool) -> None:
    assert is_own_fault(exit_code) is own


def test_deaths_are_counted_for_each_segment_in_hand() -> None:
    blame = Blame()
    blame.note(1, ["a", "b"])
    blame.note(-signal.SIGSEGV, ["a"])

    assert blame.deaths == {"a": 2, "b": 1}
    assert blame.last == ()


def test_after_a_sigkill_a_segment_goes_last_behind_those_of_sigkills_before_and_is_not_counted() -> None:
    blame = Blame()
    blame.note(-signal.SIGKILL, ["a", "b"])
    blame.note(-signal.SIGKILL, ["a"])

    assert blame.deaths == {}
    assert blame.last == ("b", "a")


def test_a_death_with_nothing_in_hand_blames_nothing() -> None:
    blame = Blame()
    blame.note(1, [])

    assert blame.deaths == {}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL])
def test_a_signal_of_broken_memory_or_code_is_told_from_others(number: signal.Signals) -> None:
    assert is_broken(-number)
    assert not any(map(is_broken, (0, 1, number, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGUSR1)))
