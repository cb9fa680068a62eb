"""A service that hypothesis drives, and cuts from the power at will: what was promised holds after each cut."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sluice import disk
from tests.power_cut.effort import FACTOR
from tests.power_cut.fates import Drawn, Everything
from tests.power_cut.history import Died, Replay
from tests.power_cut.life import Life
from tests.power_cut.walk import State, Walk, cut
from tests.power_cut.worker import FIRST_TIME_US, Worker

if TYPE_CHECKING:
    from sluice.lake.writer import LakeWriter

_NODES = st.sampled_from(["n0", "n1"])
_VERBS = st.sampled_from(
    ["create", "write", "truncate", "datasync", "sync", "rename", "unlink", "sync_folder", "mkdir"]
)
_PLACES = st.sampled_from(["", "/open", "/sealed", "/archive", "/.staging/", ".parquet", "received_hour"])
_HOW = st.sampled_from(["before", "half", "after", "dies"])
_THOUSANDTHS = st.integers(0, 1000)


class Service(RuleBasedStateMachine):
    """One life after the other, each on what the power cut before it left."""

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self._scratch = scratch
        self._lives = 0

    @initialize(archive=st.booleans())
    def first_start(self, archive: bool) -> None:
        self._archive = archive
        self._walk = Walk(self._scratch, archive=archive)
        self._live_on(None)

    @rule(node=_NODES, number=st.integers(1, 3))
    def send(self, node: str, number: int) -> None:
        with self._observed():
            self._worker(node).send(*self._life.attempts(number))

    @rule(node=_NODES)
    def seal(self, node: str) -> None:
        with self._observed():
            self._worker(node).seal()

    @rule(node=_NODES)
    def an_hour_passes(self, node: str) -> None:
        with self._observed():
            self._worker(node).pass_an_hour()

    @rule(node=_NODES)
    def the_disk_mends(self, node: str) -> None:
        with self._observed():
            self._worker(node).mend()

    @rule(node=_NODES)
    def a_worker_dies(self, node: str) -> None:
        with self._observed():
            self._worker(node).die()

    @rule(node=_NODES)
    def a_worker_closes(self, node: str) -> None:
        with self._observed():
            self._worker(node).close()

    @rule()
    def recover(self) -> None:
        with self._observed():
            self._life.recover()

    @rule()
    def publish(self) -> None:
        writer, self._writer = self._writer, None
        with self._observed():
            writer = writer or self._life.lake_writer()
            writer.run_once(FIRST_TIME_US / 1e6, at_once=True)
            self._writer = writer

    @rule()
    def the_lake_writer_dies(self) -> None:
        self._writer = None

    @rule()
    def keys_are_made(self) -> None:
        with self._observed():
            self._life.keys()

    @rule(verb=_VERBS, place=_PLACES, how=_HOW)
    def something_will_go_wrong(self, verb: str, place: str, how: str) -> None:
        self._life.fail(verb, place, how)

    @rule(data=st.data())
    def power_cut(self, data: st.DataObject) -> None:
        self._check_and_live_on(cut(self._replay().to_end(), Drawn(data.draw), self._before))

    @rule(data=st.data(), at=_THOUSANDTHS)
    def power_cut_before_something_was_done(self, data: st.DataObject, at: int) -> None:
        self._check_and_live_on(cut(_stop(self._replay, at), Drawn(data.draw), self._before))

    @rule(data=st.data(), at=_THOUSANDTHS)
    def power_cut_in_the_restart_after_one(self, data: st.DataObject, at: int) -> None:
        first = cut(self._replay().to_end(), Drawn(data.draw), self._before)
        restarted = self._walk.record_restart(first)
        second = cut(_stop(lambda: Replay(restarted, first.ledger), at), Drawn(data.draw), first)
        self._check_and_live_on(second)

    def teardown(self) -> None:
        if self._lives:
            self._life.end()
            self._walk.check(cut(self._replay().to_end(), Everything(), self._before))

    def _check_and_live_on(self, state: State) -> None:
        self._life.end()
        self._walk.check(state)
        self._live_on(state)

    def _live_on(self, state: State | None) -> None:
        self._lives += 1
        self._before = state
        self._life = Life(
            self._scratch / "life", seed=0, archive=self._archive, state=state, name=f"life{self._lives}-"
        )
        self._workers: dict[str, Worker] = {}
        self._writer: LakeWriter | None = None
        with disk.observed(self._life.history):
            self._life.start()

    def _worker(self, node: str) -> Worker:
        if node not in self._workers or self._workers[node].is_over:
            self._workers[node] = self._life.worker(node, seal_size_bytes=400)
        return self._workers[node]

    def _replay(self) -> Replay:
        return Replay(self._life.history, self._before.ledger if self._before else None)

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """What fails, fails; callers were told, or were not."""
        with disk.observed(self._life.history), suppress(Died, OSError):
            yield


def _stop(replay: Callable[[], Replay], at: int) -> Replay:
    """A replay that has come so many thousandths of its way."""
    whole = replay().to_end()
    stopped = replay()
    while stopped.operations < whole.operations * at // 1000:
        stopped.step()
    return stopped


def test_what_was_promised_holds_after_any_power_cuts_in_any_lives(scratch: Path) -> None:
    run_state_machine_as_test(
        lambda: Service(scratch),
        settings=settings(
            max_examples=30 * FACTOR,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
