"""Small histories, walked exhaustively: the power fails after every operation, and leaves every state that it may.

Each test says how many states it walked at least, so that a history that shrinks, or a model that allows less, is seen.
Whoever adds an operation to one of them finds more states, and need not change anything.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from tests.power_cut.fates import Everything, every_way, fine_pieces
from tests.power_cut.file_system import Piece
from tests.power_cut.history import Died, History
from tests.power_cut.ledger import Attempt
from tests.power_cut.life import Life
from tests.power_cut.restart import look, restart
from tests.power_cut.trees import rebuild
from tests.power_cut.walk import DATA, State, Walk, cut, every_state_of, prefixes

# A history with more is not small.
_MOST_STATES = 20_000


def _small(name: str, **fields: object) -> Attempt:
    return Attempt(name, events=1, **fields)  # type: ignore[arg-type]  those of Attempt


def _nothing_happens(_life: Life) -> None:
    pass


def _live(scratch: Path, day: Callable[[Life], None], *, state: State | None = None, archive: bool = False) -> History:
    return Life(scratch / "life", seed=0, state=state, archive=archive).run(day)


def _at_rest(scratch: Path, day: Callable[[Life], None]) -> State:
    """What is there after a day, all of it durable."""
    return cut(list(prefixes(_live(scratch, day)))[-1], Everything())


def _walk(walk: Walk, history: History, *, before: State | None = None, **settings: object) -> None:
    states = every_state_of(history, before=before, **settings)  # type: ignore[arg-type]  those of every_state_of
    for state in islice(states, _MOST_STATES):
        walk.check(state)
    assert walk.states < _MOST_STATES


def test_the_first_start_and_the_first_request(scratch: Path) -> None:
    def day(life: Life) -> None:
        life.keys()
        life.worker("n0").send(_small("a"))

    walk = Walk(scratch)
    _walk(walk, _live(scratch, day))

    assert walk.states >= 139


def test_a_record_torn_at_any_byte_behind_one_that_was_acknowledged(scratch: Path) -> None:
    def day(life: Life) -> None:
        worker = life.worker("n0")
        worker.send(_small("a"))
        life.fail("datasync", "/open/20260131T07-n0-", "dies")
        with suppress(Died):
            worker.send(_small("b"))

    before = _at_rest(scratch, _nothing_happens)
    written = list(prefixes(_live(scratch, day, state=before), before))[-1]
    walk = Walk(scratch)
    for state in every_way(partial(cut, written, before=before), tears=fine_pieces):
        walk.check(state)

    assert walk.states >= 261


def test_a_batch_of_two_records_and_the_seals_of_two_workers(scratch: Path) -> None:
    def day(life: Life) -> None:
        workers = [life.worker("n0"), life.worker("n1")]
        for worker in workers:
            worker.send(_small(f"{worker.node}a"), _small(f"{worker.node}b"))
        for worker in workers:
            worker.close()

    before = _at_rest(scratch, _nothing_happens)
    walk = Walk(scratch)
    _walk(walk, _live(scratch, day, state=before), before=before)

    assert walk.states >= 92


def _two_hours(life: Life) -> None:
    worker = life.worker("n0")
    worker.send(_small("a"))
    worker.seal()
    worker.send(_small("b"))
    worker.pass_an_hour()
    worker.send(_small("c"))
    worker.close()


@pytest.mark.parametrize("archive", [False, True])
def test_the_first_two_files_of_the_lake_and_what_becomes_of_their_segments(scratch: Path, archive: bool) -> None:
    before = _at_rest(scratch, _two_hours)
    walk = Walk(scratch, archive=archive)
    _walk(walk, _live(scratch, Life.lake, state=before, archive=archive), before=before)

    assert walk.states >= 766


def test_an_archive_whose_folder_was_made_by_a_lake_writer_that_died(scratch: Path) -> None:
    def day(life: Life) -> None:
        life.fail("sync_folder", "/log", "dies")
        with suppress(Died):
            life.lake()
        life.lake()

    before = _at_rest(scratch, _two_hours)
    walk = Walk(scratch, archive=True)
    _walk(walk, _live(scratch, day, state=before, archive=True), before=before)

    assert walk.states >= 798


def _walk_a_batch_that_fails(scratch: Path, *faults: tuple[str, ...]) -> Walk:
    """Between two good ones. Each fault is of the worker's segment: a verb, and how."""

    def day(life: Life) -> None:
        worker = life.worker("n0")
        worker.send(_small("a"))
        for verb, *how in faults:
            life.fail(verb, "/open/20260131T07-n0-", *how)
        worker.send(_small("b"), _small("c"))
        worker.mend()
        worker.send(_small("d"))

    before = _at_rest(scratch, _nothing_happens)
    walk = Walk(scratch)
    _walk(walk, _live(scratch, day, state=before), before=before)
    return walk


def test_a_write_that_failed_half_way_and_its_cut(scratch: Path) -> None:
    assert _walk_a_batch_that_fails(scratch, ("write", "half")).states >= 98


def test_a_fdatasync_that_failed_and_a_cut_that_failed_too(scratch: Path) -> None:
    assert _walk_a_batch_that_fails(scratch, ("datasync",), ("sync",)).states >= 128


def test_the_recovery_of_a_worker_that_was_killed_before_its_fdatasync_while_another_writes_on(scratch: Path) -> None:
    def day(life: Life) -> None:
        killed, other = life.worker("n0"), life.worker("n1")
        other.send(_small("a"))
        killed.send(_small("b"))
        life.fail("datasync", "/open/20260131T07-n0-", "dies")
        with suppress(Died):
            killed.send(_small("c"))
        life.recover()
        other.send(_small("d"))

    before = _at_rest(scratch, _nothing_happens)
    walk = Walk(scratch)
    _walk(walk, _live(scratch, day, state=before), before=before)

    assert walk.states >= 122


def test_a_record_that_cannot_be_decoded_is_set_aside(scratch: Path) -> None:
    def day(life: Life) -> None:
        worker = life.worker("n0")
        worker.send(_small("a"), _small("b", decodable=False))
        worker.close()

    before = _at_rest(scratch, day)
    walk = Walk(scratch)
    _walk(walk, _live(scratch, Life.lake, state=before), before=before)

    assert walk.states >= 902


def test_a_power_cut_in_the_restart_after_one(scratch: Path) -> None:
    def day(life: Life) -> None:
        worker = life.worker("n0")
        worker.send(_small("a"))
        worker.send(_small("b"))

    before = _at_rest(scratch, _nothing_happens)
    walk = Walk(scratch)
    for state in islice(every_state_of(_live(scratch, day, state=before), before=before), _MOST_STATES):
        if walk.is_new(state):
            for later in every_state_of(walk.record_restart(state), before=state):
                walk.check(later)

    assert walk.states >= 4890


def test_a_hole_in_a_batch_nobody_was_answered_for_is_set_aside_and_the_record_behind_it_is_kept(scratch: Path) -> None:
    class Hole(Everything):
        def piece(self, what: str, size: int) -> Piece:
            return Piece(20, 30, size) if "/open/2026" in what else super().piece(what, size)

    def day(life: Life) -> None:
        life.fail("datasync", "/open/20260131T07-n0-", "dies")
        with suppress(Died):
            life.worker("n0").send(_small("a"), _small("b"))

    state = cut(list(prefixes(_live(scratch, day)))[-1], Hole())
    rebuild(state.tree, scratch / "state")

    restart(scratch / "state" / DATA)

    found = look(scratch / "state" / DATA)
    assert (found.in_lake, found.holes, found.left) == ({"b": [0]}, 1, [])
    assert state.ledger.violations(found, holes_allowed=True, archive=False) == []
