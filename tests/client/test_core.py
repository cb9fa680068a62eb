"""The state machine alone: a model of what was logged, a server that answers anything, and a clock that is turned."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluice import disk
from sluice.client import Event, Reason, Settings, SpoolError, Trouble
from sluice.client.answer import Answer, Delivered, Later, Refused, Violation
from sluice.client.core import Core
from sluice.client.encode import decode, encode
from sluice.client.report import Dropped
from sluice.client.spool import Spool
from sluice.client.steps import Mark, Send, Sync, Wait
from sluice.client.store import Memory, Store
from tests.support.lake_service import FailWhere

NOW_MS = 1767225600000
_UNAVAILABLE = Later(code="UNAVAILABLE", message="down")
_UNAUTHENTICATED = Later(code="UNAUTHENTICATED", message="who?", needs_you=True)
_STRANGE = Later(code="INTERNAL", message="reset", for_ever=False)


def _encoded(name: str) -> bytes:
    return encode(Event(name, "u1", event_id=name), now_ms=NOW_MS, most_bytes=1 << 20)[1]


def _names(encoded: list[bytes]) -> list[str]:
    return [decode(event).event_name for event in encoded]


def _memory(asked: Settings) -> Memory:
    return Memory(most_events=asked.queue_events, most_bytes=asked.queue_bytes)


def _core(asked: Settings, *, draw: Callable[[], float] = lambda: 0.5) -> Core:
    return Core(asked, _memory(asked), draw=draw)


def _sent(core: Core, now: float) -> Send:
    step = core.next_step(now)
    assert isinstance(step, Send)
    return step


class AnyLife(RuleBasedStateMachine):
    """Whatever happens, each event that was taken waits, was acknowledged, or was told; no key changes its batch."""

    survives = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.settings = Settings(
            batch_events=4,
            batch_bytes=2048,
            queue_events=40,
            queue_bytes=8192,
            linger_s=1,
            in_flight=3,
            give_up_after_s=10_000,
            spool=self.folder if self.survives else None,
            spool_bytes=200_000,
        )
        self.now = 0.0
        self.logged = 0
        self.waiting: set[str] = set()
        self.acknowledged: set[str] = set()
        self.told: list[str] = []
        self.in_flight: list[Send] = []
        self.batches: dict[bytes, list[str]] = {}
        self.marks: list[tuple[Mark, set[str]]] = []

    @initialize(draw=st.floats(0, 1))
    def start(self, draw: float) -> None:
        self.draw = draw
        self.store: Store = self._open()
        self.core = Core(self.settings, self.store, draw=lambda: draw)

    def _open(self) -> Store:
        if not self.survives:
            return _memory(self.settings)
        return Spool(self.folder, most_bytes=self.settings.spool_bytes, keep_refused_bytes=1 << 20)

    @rule(events=st.integers(1, 9))
    def log(self, events: int) -> None:
        names = [str(self.logged + index) for index in range(events)]
        encoded = [_encoded(name) for name in names]
        if self.core.room_for(encoded):
            self.core.put(encoded, self.now)
            self.logged += events
            self.waiting.update(names)

    @precondition(lambda self: self.survives)
    @rule(events=st.integers(1, 9), verb=st.sampled_from(["write", "create"]))
    def log_while_the_disk_fails(self, events: int, verb: str) -> None:
        names = [str(self.logged + index) for index in range(events)]
        taken = events
        with disk.observed(FailWhere(verb, str(self.folder))):
            try:
                self.core.put([_encoded(name) for name in names], self.now)
            except SpoolError as exc:
                taken = exc.taken_events
        self.logged += taken
        self.waiting.update(names[:taken])

    @rule(seconds=st.sampled_from([0.01, 1, 5, 100]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def do_the_next_step(self) -> None:
        step = self.core.next_step(self.now)
        if isinstance(step, Send):
            self._receive(step)
        elif isinstance(step, Sync):
            assert isinstance(self.store, Spool)
            self.store.sync()
        elif step.seconds is not None:
            assert step.seconds >= 0

    def _receive(self, step: Send) -> None:
        names = _names(list(step.encoded))
        assert 1 <= len(names) <= self.settings.batch_events
        assert sum(map(len, step.encoded)) <= self.settings.batch_bytes
        assert self.batches.setdefault(step.batch.key, names) == names
        self.in_flight.append(step)
        assert len(self.in_flight) <= self.settings.in_flight
        assert len({send.batch.key for send in self.in_flight}) == len(self.in_flight)

    def _answer(self, answer: Answer) -> None:
        self.core.answered(self.in_flight.pop(0).batch, answer, self.now)

    @precondition(lambda self: self.in_flight)
    @rule()
    def the_server_acknowledges(self) -> None:
        names = self.batches[self.in_flight[0].batch.key]
        self._answer(Delivered())
        self.acknowledged.update(names)
        self.waiting.difference_update(names)

    @precondition(lambda self: self.in_flight)
    @rule(answer=st.sampled_from([_UNAVAILABLE, _UNAUTHENTICATED, _STRANGE]))
    def the_try_fails(self, answer: Answer) -> None:
        self._answer(answer)

    @precondition(lambda self: self.in_flight)
    @rule(indices=st.lists(st.integers(0, 5), max_size=3))
    def the_server_refuses(self, indices: list[int]) -> None:
        violations = tuple(Violation(index=index, path="user", message="missing") for index in indices)
        self._answer(Refused(message="no", violations=violations))

    @rule()
    def flush(self) -> None:
        self.marks.append((self.core.begin_flush(self.now), set(self.waiting)))

    @precondition(lambda self: self.survives)
    @rule(tidily=st.booleans())
    def restart(self, tidily: bool) -> None:
        self._take_news()
        assert isinstance(self.store, Spool)
        if tidily:
            self.core.abandon()
            self.store.close()
        else:
            self.store.release()  # as the system does it for a process that was killed
        self.in_flight.clear()
        self.marks.clear()
        self.store = self._open()
        self.core = Core(self.settings, self.store, draw=lambda: self.draw)
        self.logged_before = self.logged

    def _take_news(self) -> None:
        while self.core.ledger.news:
            item = self.core.ledger.news.popleft()
            if isinstance(item, Dropped):
                name = item.undelivered().event.event_name
                self.told.append(name)
                self.waiting.discard(name)

    @invariant()
    def each_event_is_in_one_place(self) -> None:
        self._take_news()
        places = [*self.waiting, *self.acknowledged, *self.told]
        assert sorted(places, key=int) == [str(number) for number in range(self.logged)]

    @invariant()
    def figures_say_so(self) -> None:
        self._take_news()
        stats = self.core.stats()
        assert stats.logged + stats.recovered == stats.waiting + stats.delivered + stats.refused + stats.given_up
        if not self.store.leftovers:
            assert stats.waiting == len(self.waiting)
        assert stats.batches_in_flight == len(self.in_flight)

    @invariant()
    def a_flush_is_done_when_all_before_it_is_settled(self) -> None:
        self._take_news()
        for mark, before in self.marks:
            assert self.core.is_flushed(mark) == (not before & self.waiting)

    def teardown(self) -> None:
        """However it went, it comes to an end once the server takes what it is sent."""
        try:
            mark = self.core.begin_flush(self.now)
            for _ in range(400):
                while self.in_flight:
                    self.the_server_acknowledges()
                if self.core.is_flushed(mark):
                    break
                step = self.core.next_step(self.now)
                if isinstance(step, Send):
                    self._receive(step)
                elif isinstance(step, Wait):
                    assert step.seconds is not None
                    self.now += step.seconds
            self._take_news()
            assert self.core.is_flushed(mark)
            assert self.waiting == set()
            assert self.store.batches == 0
        finally:
            if isinstance(self.store, Spool):
                self.store.close()
            shutil.rmtree(self.folder)


class AnyLifeOnDisk(AnyLife):
    survives = True


TestInMemory = AnyLife.TestCase
TestInMemory.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestOnDisk = AnyLifeOnDisk.TestCase
TestOnDisk.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


class FullAfter:
    """A disk on which so many files can be made."""

    def __init__(self, files: int) -> None:
        self._left = files

    def before(self, operation: disk.Operation) -> None:
        if operation.verb == "create":
            self._left -= 1
            if self._left < 0:
                raise OSError(28, "No space left on device")

    def after(self, operation: disk.Operation) -> None:
        pass


def test_a_disk_that_fails_amid_a_call_says_how_many_events_were_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most_bytes=1 << 20, keep_refused_bytes=0)
    core = Core(Settings(batch_events=2), spool)
    with disk.observed(FullAfter(2)), pytest.raises(SpoolError) as raised:
        core.put([_encoded(str(number)) for number in range(7)], 0.0)

    assert raised.value.taken_events == 4
    assert core.stats().waiting == 4
    spool.close()


sizes = st.lists(st.integers(1, 900), min_size=1, max_size=40)


@given(sizes, st.integers(1, 10), st.lists(st.integers(1, 12), max_size=20))
def test_batches_are_within_both_limits_and_keep_every_event_in_order(
    sizes: list[int], batch_events: int, calls: list[int]
) -> None:
    asked = Settings(batch_events=batch_events, batch_bytes=2048, in_flight=1000)
    core = _core(asked)
    events = [b"%03d" % index + b"x" * size for index, size in enumerate(sizes)]
    waiting = list(events)
    for call in [*calls, len(waiting)]:
        core.put(waiting[:call], 0.0)
        del waiting[:call]
    core.begin_flush(0.0)
    sent = []
    while isinstance(step := core.next_step(0.0), Send):
        assert len(step.encoded) <= batch_events
        assert sum(map(len, step.encoded)) <= asked.most_event_bytes
        sent += step.encoded

    assert sent == events


def test_a_batch_is_sent_when_it_is_full_or_has_lingered() -> None:
    core = _core(Settings(batch_events=2, linger_s=1.0))
    core.put([_encoded("a")], 0.0)
    assert core.next_step(0.25) == Wait(0.75)
    core.put([_encoded("b"), _encoded("c")], 0.5)

    assert _names(list(_sent(core, 0.5).encoded)) == ["a", "b"]
    assert core.next_step(0.5) == Wait(1.0)
    assert _names(list(_sent(core, 1.5).encoded)) == ["c"]


def test_while_the_server_is_away_one_try_is_made_at_a_time_and_the_open_batch_fills() -> None:
    core = _core(Settings(batch_events=10, linger_s=1.0, in_flight=4, first_backoff_s=1.0), draw=lambda: 0.5)
    core.put([_encoded("a")], 0.0)
    batch = _sent(core, 1.0).batch
    core.answered(batch, _UNAVAILABLE, 1.0)
    for second in range(2, 6):
        core.put([_encoded(f"later-{second}")], float(second))
    again = _sent(core, 6.0)

    assert again.batch is batch
    assert isinstance(core.next_step(6.0), Wait)
    core.answered(batch, Delivered(), 6.0)
    assert _names(list(_sent(core, 6.0).encoded)) == ["later-2", "later-3", "later-4", "later-5"]


def _pauses(core: Core, answer: Answer, tries: int) -> list[float]:
    """The pauses between so many failed tries of one event."""
    core.put([_encoded("a")], 0.0)
    now, pauses = 1.0, []
    for _ in range(tries):
        batch = _sent(core, now).batch
        core.answered(batch, answer, now)
        step = core.next_step(now)
        assert isinstance(step, Wait)
        assert step.seconds is not None
        pauses.append(round(step.seconds, 6))
        now += step.seconds
    return pauses


def test_pauses_double_up_to_the_longest() -> None:
    core = _core(Settings(first_backoff_s=1.0, longest_backoff_s=30.0), draw=lambda: 1.0)

    assert _pauses(core, _UNAVAILABLE, 7) == [2, 4, 8, 16, 30, 30, 30]


def test_pauses_are_drawn_from_nothing_up() -> None:
    core = _core(Settings(first_backoff_s=1.0, longest_backoff_s=30.0), draw=lambda: 0.25)

    assert _pauses(core, _UNAVAILABLE, 3) == [0.5, 1, 2]


def test_the_server_can_ask_for_a_longer_pause_but_not_for_any() -> None:
    asked = Settings(first_backoff_s=1.0, give_up_after_s=10**6)

    assert _pauses(_core(asked), Later(code="UNAVAILABLE", message="", delay_s=20.0), 1) == [21]
    assert _pauses(_core(asked), Later(code="UNAVAILABLE", message="", delay_s=10.0**6), 1) == [301]


def test_tries_that_fail_together_count_as_one_failure() -> None:
    core = _core(Settings(batch_events=1, in_flight=3, first_backoff_s=1.0), draw=lambda: 1.0)
    core.put([_encoded(name) for name in "abc"], 0.0)
    for batch in [_sent(core, 0.0).batch for _ in range(3)]:
        core.answered(batch, _UNAVAILABLE, 0.5)

    assert core.next_step(0.5) == Wait(2.0)


def test_a_flush_shortens_the_pause_but_does_not_hammer() -> None:
    core = _core(Settings(first_backoff_s=30.0, longest_backoff_s=30.0), draw=lambda: 1.0)
    core.put([_encoded("a")], 0.0)
    core.answered(_sent(core, 1.0).batch, _UNAVAILABLE, 1.0)
    core.begin_flush(1.5)

    assert core.next_step(1.5) == Wait(0.5)
    assert _sent(core, 2.0).batch.tries == 2


def test_a_wrong_key_makes_a_flush_hopeless_only_by_a_try_since_it_began() -> None:
    core = _core(Settings(first_backoff_s=1.0))
    core.put([_encoded("a")], 0.0)
    core.answered(_sent(core, 1.0).batch, _UNAUTHENTICATED, 1.0)
    mark = core.begin_flush(10.0)

    assert not core.is_hopeless(mark)
    core.answered(_sent(core, 10.0).batch, _UNAUTHENTICATED, 10.0)
    assert core.is_hopeless(mark)
    assert core.stats().waiting == 1


def test_trouble_is_told_when_it_begins_and_when_it_is_another() -> None:
    core = _core(Settings(first_backoff_s=0.1))
    core.put([_encoded("a")], 0.0)
    now = 1.0
    for answer in (_UNAVAILABLE, _UNAVAILABLE, _UNAUTHENTICATED, _UNAVAILABLE):
        core.answered(_sent(core, now).batch, answer, now)
        now += 100

    codes = [item.code for item in core.ledger.news if isinstance(item, Trouble)]
    assert codes == ["UNAVAILABLE", "UNAUTHENTICATED", "UNAVAILABLE"]


def test_events_are_given_up_after_their_time_and_told() -> None:
    core = _core(Settings(give_up_after_s=60.0, batch_events=1))
    core.put([_encoded("tried"), _encoded("not tried")], 0.0)
    core.answered(_sent(core, 0.0).batch, _UNAVAILABLE, 0.0)
    core.next_step(61.0)

    told = [item for item in core.ledger.news if isinstance(item, Dropped)]
    assert {(item.reason, item.may_be_stored, item.message) for item in told} == {
        (Reason.GAVE_UP, True, "UNAVAILABLE: down"),
        (Reason.GAVE_UP, False, "not tried"),
    }
    assert core.stats().waiting == 0


def test_an_answer_that_no_sluice_gives_is_tried_again_but_not_for_ever() -> None:
    core = _core(Settings(first_backoff_s=0.1))
    core.put([_encoded("a")], 0.0)
    now, tries = 1.0, 0
    while core.stats().waiting:
        core.answered(_sent(core, now).batch, _STRANGE, now)
        now += 100
        tries += 1

    assert tries == 10
    assert [item.reason for item in core.ledger.news if isinstance(item, Dropped)] == [Reason.GAVE_UP]


def test_a_batch_that_fails_alone_holds_up_no_other_and_is_not_forgotten() -> None:
    core = _core(Settings(batch_events=1, in_flight=1, first_backoff_s=1.0, longest_backoff_s=1.0))
    core.put([_encoded("slow")], 0.0)
    now, tries = 0.0, []
    for turn in range(20):
        core.put([_encoded(f"quick-{turn}"), _encoded(f"quick too-{turn}")], now)
        [name] = _names(list((step := _sent(core, now)).encoded))
        tries.append(name)
        core.answered(step.batch, Later(code="DEADLINE_EXCEEDED", message="") if name == "slow" else Delivered(), now)
        now += 2.0

    assert 5 <= tries.count("slow") <= 11


def test_what_is_sent_again_without_the_refused_has_a_key_of_its_own() -> None:
    core = _core(Settings())
    core.put([_encoded("wrong"), _encoded("right")], 0.0)
    first = _sent(core, 1.0).batch
    core.answered(first, Refused(message="no", violations=(Violation(index=0, path="user", message="missing"),)), 1.0)
    second = _sent(core, 1.0)

    assert _names(list(second.encoded)) == ["right"]
    assert second.batch.key != first.key


def test_what_the_server_takes_at_most_is_kept_to_from_then_on() -> None:
    core = _core(Settings(batch_bytes=100_000, linger_s=0.0))
    events = [b"x" * 1000] * 20
    core.put(events, 0.0)
    core.answered(_sent(core, 0.0).batch, Refused(message="too large", most_bytes=11_100), 0.0)
    while isinstance(step := core.next_step(0.0), Send):
        core.answered(step.batch, Delivered(), 0.0)
    core.put(events, 0.0)

    assert len(_sent(core, 0.0).encoded) == 10


def test_a_client_that_ends_tells_what_it_drops() -> None:
    core = _core(Settings(batch_events=1))
    core.put([_encoded("on its way"), _encoded("waits")], 0.0)
    _sent(core, 0.0)
    mark = core.begin_flush(0.0)
    core.abandon()
    error = core.not_delivered(mark)

    assert error is not None
    assert (error.waiting_events, error.undelivered_events) == (0, 2)
    assert {(told.event.event_name, told.reason, told.may_be_stored) for told in error.undelivered} == {
        ("on its way", Reason.CLOSED, True),
        ("waits", Reason.CLOSED, False),
    }
    assert core.not_delivered(mark) is None


def test_an_error_names_the_first_hundred_and_counts_all() -> None:
    core = _core(Settings())
    core.put([_encoded(str(number)) for number in range(150)], 0.0)
    mark = core.begin_flush(0.0)
    core.abandon()
    error = core.not_delivered(mark)

    assert error is not None
    assert (len(error.undelivered), error.undelivered_events) == (100, 150)
    assert str(error).startswith("150 events will not be delivered (the first: closed: not tried)")


def test_an_answer_that_comes_after_the_end_changes_nothing() -> None:
    core = _core(Settings())
    core.put([_encoded("a")], 0.0)
    batch = _sent(core, 1.0).batch
    core.abandon()
    core.answered(batch, Delivered(), 2.0)

    assert core.stats().delivered == 0
    assert core.stats().given_up == 1


@pytest.mark.parametrize("events", [1, 3])
def test_memory_is_bounded_by_events_and_bytes(events: int) -> None:
    store = Memory(most_events=events, most_bytes=10_000)
    store.append(b"k", [b"x" * 100] * events)

    assert not store.room_for(1, 1)
    assert not Memory(most_events=10, most_bytes=1000).room_for(1, 1000)
    store.remove(b"k")
    assert store.room_for(events, 100)
    assert store.size == 0
