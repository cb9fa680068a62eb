"""Cuts the power everywhere in a history, restarts on what is left, and tells what was not as promised."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sluice import disk
from tests.power_cut.fates import coarse_pieces, every_way
from tests.power_cut.file_system import Fate, Piece, Tree
from tests.power_cut.history import History, Replay
from tests.power_cut.ledger import Ledger
from tests.power_cut.restart import look, restart
from tests.power_cut.trees import digest, rebuild

DATA = "data"


class Watched:
    """Another fate, and what it lost.

    Attributes:
        lost: in words.
        holed: whether what is there of a write can't be told from damage, see `Piece.is_holed`.
    """

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self.lost: list[str] = []
        self.holed = False

    def keeps(self, what: str) -> bool:
        kept = self._fate.keeps(what)
        if not kept:
            self.lost.append(what)
        return kept

    def piece(self, what: str, size: int) -> Piece:
        piece = self._fate.piece(what, size)
        if piece != Piece(size, size, size):
            self.lost.append(f"{what}: has {piece}")
        self.holed = self.holed or piece.is_holed
        return piece


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is on disk after a power cut, and what must come of it.

    Attributes:
        tree: the disk.
        ledger: what had been answered.
        holed: see `Watched`; of any cut before, too.
        story: how it came about, in words.
    """

    tree: Tree
    ledger: Ledger
    holed: bool = False
    story: tuple[str, ...] = ()


@dataclass(slots=True)
class Walk:
    """Restarts on states, each once, and counts them.

    Args:
        scratch: a folder for the states.
        archive: the setting.
    """

    scratch: Path
    archive: bool = False
    states: int = 0
    _seen: set[tuple[bytes, str, bool]] = field(default_factory=set)

    def is_new(self, state: State) -> bool:
        """Count a state, and tell whether one like it was counted before."""
        self.states += 1
        known = (digest(state.tree), state.ledger.digest(), state.holed)
        if known in self._seen:
            return False
        self._seen.add(known)
        return True

    def violations(self, state: State) -> list[str]:
        """What is not as promised after a restart on that state; none where it was seen before."""
        if not self.is_new(state):
            return []
        root = self.scratch / "state"
        rebuild(state.tree, root)
        try:
            restart(root / DATA, archive=self.archive)
            found = look(root / DATA)
        except Exception as exc:  # noqa: BLE001  that a start fails is what is looked for
            return [f"the restart failed: {exc!r}"]
        return state.ledger.violations(found, holes_allowed=state.holed, archive=self.archive)

    def check(self, state: State) -> None:
        """Raise AssertionError where something is not as promised."""
        wrong = self.violations(state)
        assert not wrong, "\n".join([*wrong, "after:", *state.story])

    def record_restart(self, state: State) -> History:
        """What a restart on that state does to the disk."""
        root = self.scratch / "recorded"
        rebuild(state.tree, root)
        history = History(root, state.tree)
        with disk.observed(history):
            restart(root / DATA, archive=self.archive)
        return history


def cut(replay: Replay, fate: Fate, before: State | None = None) -> State:
    """The power fails now."""
    watched = Watched(fate)
    tree = replay.file_system.after_power_cut(watched)
    story = f"operation {replay.operations}, {replay.last}, and losing {watched.lost or 'nothing'}"
    return State(
        tree=tree,
        ledger=replay.ledger.copy(),
        holed=watched.holed or (before is not None and before.holed),
        story=(*(before.story if before else ()), story),
    )


def prefixes(history: History, before: State | None = None) -> Iterator[Replay]:
    """A history after no operation, after one, and so on: the same replay, which goes on."""
    replay = Replay(history, before.ledger if before else None)
    yield replay
    while replay.step():
        yield replay


def states_of(history: History, fates: Callable[[int], list[Fate]], *, before: State | None = None) -> Iterator[State]:
    """A power cut after every operation, with some fates each.

    Args:
        history: what was done.
        fates: by the number of operations that were done.
        before: the state that the history began with.
    """
    for replay in prefixes(history, before):
        for fate in fates(replay.operations):
            yield cut(replay, fate, before)


def every_state_of(
    history: History, *, before: State | None = None, tears: Callable[[str, int], list[Piece]] = coarse_pieces
) -> Iterator[State]:
    """A power cut after every operation, with every combination of fates. See `every_way`."""
    for replay in prefixes(history, before):
        yield from every_way(partial(cut, replay, before=before), tears=tears)
