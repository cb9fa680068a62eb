"""The model finds bugs: each of these, planted in the product, breaks a promise in a state that the model reaches.

Not among them is a seal without the fsync of sealed/ and open/: a rename is one step in both folders, so a segment
whose seal is lost is back in open/, whole, and is sealed again.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.power_cut import planted_bugs
from tests.power_cut.fates import Chance, Nothing, Undone
from tests.power_cut.history import History
from tests.power_cut.ledger import Attempt
from tests.power_cut.life import Life
from tests.power_cut.realistic_run import first_day
from tests.power_cut.restart import LakeWriterStuck
from tests.power_cut.walk import State, Walk, cut, prefixes

# Orders in which the actors take turns. The product itself stands all states of such days: test_realistic_run.py.
_SEEDS = range(1, 4)
# A state that is like the one before is not likely to show more.
_STRIDE = 9


def _with_a_record_that_cannot_be_decoded(life: Life) -> None:
    worker = life.worker("n0")
    worker.send(*life.attempts(2))
    worker.send(Attempt("bad", decodable=False))
    worker.close()
    life.lake()


_LOST = "acknowledged, there 0 times"
_THERE_ALL_THE_SAME = "refused, there 1 times"
_DAMAGED = ": set aside"
_KEY_LOST = "the key was told and is gone"
_STUCK = "the lake writer doesn't come to rest"

# Each with the words in which it must be told: else a plant that fits the product no more might count as found.
_BUGS = {
    planted_bugs.no_fsync_of_the_open_folder: _LOST,
    planted_bugs.no_fsync_of_the_logs_parent: _LOST,
    planted_bugs.no_fsync_of_the_data_folders_parent: _KEY_LOST,
    planted_bugs.no_fsync_of_a_new_partitions_parents: _LOST,
    planted_bugs.no_fsync_of_a_partition: _LOST,
    planted_bugs.acknowledged_before_the_fdatasync: _LOST,
    planted_bugs.segments_let_go_before_the_parquets_fsync: _LOST,
    planted_bugs.segments_let_go_before_the_rename: _LOST,
    planted_bugs.renamed_before_the_fsync_of_the_staged_file: _LOST,
    planted_bugs.published_again_what_a_file_already_names: _STUCK,
    planted_bugs.published_not_read_anew_after_a_failed_step: _STUCK,
    planted_bugs.recovered_while_it_is_being_written: _DAMAGED,
    planted_bugs.recovered_without_fsync: "damaged stretches",
    planted_bugs.cut_without_fsync: _THERE_ALL_THE_SAME,
    planted_bugs.not_cut_after_a_failed_fdatasync: _THERE_ALL_THE_SAME,
    planted_bugs.segment_ids_used_again: _DAMAGED,
    planted_bugs.archived_into_a_folder_whose_name_is_not_durable: "in the lake, not in the archive",
    planted_bugs.set_aside_but_not_durably: _LOST,
    planted_bugs.keys_replaced_without_fsync: "the restart failed: KeysUnreadable",
    planted_bugs.keys_told_before_their_folders_fsync: _KEY_LOST,
}
# Where the day of the realistic run has nothing in which they would show.
_DAYS = {planted_bugs.set_aside_but_not_durably: _with_a_record_that_cannot_be_decoded}
_NEED_THE_ARCHIVE = {planted_bugs.archived_into_a_folder_whose_name_is_not_durable}


def _first_violations(scratch: Path, day: Callable[[Life], None], *, archive: bool) -> list[str]:
    """What is wrong in the first state in which something is."""
    walk = Walk(scratch, archive=archive)
    for seed in _SEEDS:
        try:
            history = Life(scratch / "life", seed=seed, archive=archive).run(day)
        except LakeWriterStuck as exc:
            return [str(exc)]  # it shows without a power cut
        for state in _in_strides(history):
            if wrong := walk.violations(state):
                print("\n".join([f"in state {walk.states}:", *wrong, *state.story]))
                return wrong
    return []


def _in_strides(history: History) -> Iterator[State]:
    for offset in range(_STRIDE):
        for replay in prefixes(history):
            if replay.operations % _STRIDE == offset:
                for fate in (Nothing(), Undone(), Chance(replay.operations)):
                    yield cut(replay, fate)


@pytest.mark.parametrize(("plant", "words"), _BUGS.items(), ids=[plant.__name__ for plant in _BUGS])
def test_a_planted_bug_is_found(
    plant: planted_bugs.Plant, words: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)

    found = _first_violations(scratch, _DAYS.get(plant, first_day), archive=plant in _NEED_THE_ARCHIVE)

    assert [violation for violation in found if words in violation], found
