"""One child's place: real, tiny processes stand in for the rooms'."""

import asyncio
import errno
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
import structlog

from sluice.supervisor.child import Child
from sluice.supervisor.keeper import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_AFTER_S, End, Keeper, pause_before_start
from sluice.supervisor.process_id import ProcessId, catches, process_id

_WAITS = "import time; time.sleep(60)"
_ENDS_WITH_3 = "raise SystemExit(3)"
_FINISHES_ON_SIGTERM = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(60)
"""
_IGNORES_THE_FIRST_SIGTERM = """
import signal, sys, time
def first(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGTERM, first)
while True:
    time.sleep(60)
"""


class _Script:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.identity = process_id(process.pid) or ProcessId(pid=process.pid, started=0)

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


def _starts(text: str) -> Callable[[], Awaitable[Child]]:
    async def start() -> Child:
        return _Script(await asyncio.create_subprocess_exec(sys.executable, "-c", text))

    return start


class _Kept:
    """A keeper with a note of each end."""

    def __init__(self, text: str) -> None:
        self.ends: list[End] = []
        self.keeper = Keeper(role="script", start=_starts(text), after_end=self._note)

    async def _note(self, end: End) -> None:
        self.ends.append(end)

    async def until(self, holds: Callable[[], bool], *, now: float | None = None) -> None:
        """Tick until something holds; on the loop's clock, or with a clock that stands still."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while not holds():
                await self.keeper.tick(loop.time() if now is None else now)
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        self.keeper.stop_at_once()
        self.keeper.kill("the test is over")
        await self.until(lambda: self.keeper.is_over)


def test_a_child_that_ended_is_reaped_and_started_again() -> None:
    async def scenario() -> None:
        kept = _Kept(_WAITS)
        await kept.keeper.start_first(0.0)
        first = kept.keeper.child
        assert first is not None
        first.send(signal.SIGKILL)
        await kept.until(lambda: kept.ends != [], now=STEADY_AFTER_S + 1)
        await kept.until(lambda: kept.keeper.child is not None, now=STEADY_AFTER_S + 1)

        assert [(end.exit_code, end.asked, end.quick_ends) for end in kept.ends] == [(-signal.SIGKILL, False, 0)]
        assert kept.keeper.child is not None
        assert kept.keeper.child.identity != first.identity
        await kept.end()

    asyncio.run(scenario())


def test_one_that_ends_soon_is_started_again_only_after_a_pause() -> None:
    async def scenario() -> None:
        kept = _Kept(_ENDS_WITH_3)
        await kept.keeper.start_first(0.0)
        await kept.until(lambda: kept.ends != [], now=1.0)
        started = [await kept.keeper.tick(now) for now in (1.0, 1.0 + FIRST_PAUSE_S / 2, 1.0 + FIRST_PAUSE_S)]

        assert started == [False, False, True]
        assert kept.ends[0].exit_code == 3
        await kept.end()

    asyncio.run(scenario())


def test_one_that_cannot_be_started_is_tried_again_and_told_once() -> None:
    async def scenario() -> None:
        kept = _Kept(_ENDS_WITH_3)
        starts = kept.keeper._new_child
        await kept.keeper.start_first(0.0)

        tries = count()

        async def refuses() -> Child:
            # The next free number, as a file's name may have it.
            raise OSError(errno.EMFILE, "Too many open files", f"/tmp/{next(tries)}")

        kept.keeper._new_child = refuses
        await kept.until(lambda: kept.ends != [], now=1.0)
        with structlog.testing.capture_logs() as messages:
            for now in range(2, 100, 10):
                assert not await kept.keeper.tick(now)
            kept.keeper._new_child = starts
            assert await kept.keeper.tick(200.0)

        assert [m["event"] for m in messages] == [
            "child can't be started, and is tried again",
            "child can be started again",
            "child started again",
        ]
        assert messages[0]["cause"] == "EMFILE"
        assert messages[0]["hint"].startswith("raise the limit of open files")
        await kept.end()

    asyncio.run(scenario())


def test_a_first_start_that_may_fail_is_tried_again_and_told_once() -> None:
    refusals = [OSError(errno.EAGAIN, "Resource temporarily unavailable")] * 3

    async def scenario() -> None:
        async def start() -> Child:
            if refusals:
                raise refusals.pop()
            return await _starts(_WAITS)()

        kept = _Kept(_WAITS)
        kept.keeper._new_child = start
        assert not await kept.keeper.tick(0.0)
        kept.keeper.begin(0.0)
        with structlog.testing.capture_logs() as messages:
            await kept.until(lambda: kept.keeper.child is not None)
            await kept.keeper.tick(asyncio.get_running_loop().time())

        assert [(m["event"], m.get("cause")) for m in messages] == [
            ("child can't be started, and is tried again", "EAGAIN"),
            ("child can be started again", None),
        ]
        kept.keeper.begin(0.0)
        assert not await kept.keeper.tick(0.0)
        await kept.end()

    asyncio.run(scenario())


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [pause_before_start(ends) for ends in range(20)]

    assert pauses[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert pauses == sorted(pauses)


def test_one_that_was_told_to_stop_finishes_and_is_not_started_again() -> None:
    async def scenario() -> None:
        kept = _Kept(_FINISHES_ON_SIGTERM)
        await kept.keeper.start_first(0.0)
        kept.keeper.stop()
        await kept.until(lambda: kept.keeper.is_over)

        assert [(end.exit_code, end.asked) for end in kept.ends] == [(0, True)]

    asyncio.run(scenario())


def test_sigterm_waits_until_the_child_has_a_handler_for_it() -> None:
    async def scenario() -> None:
        kept = _Kept(f"import time; time.sleep(0.3)\n{_FINISHES_ON_SIGTERM}")
        await kept.keeper.start_first(0.0)
        kept.keeper.stop()
        await kept.until(lambda: kept.keeper.is_over)

        assert kept.ends[0].exit_code == 0

    asyncio.run(scenario())


def test_stopping_at_once_sends_a_second_sigterm() -> None:
    async def scenario() -> None:
        kept = _Kept(_IGNORES_THE_FIRST_SIGTERM)
        await kept.keeper.start_first(0.0)
        child = kept.keeper.child
        assert child is not None
        await kept.until(lambda: catches(child.identity.pid, signal.SIGTERM))
        kept.keeper.stop_at_once()
        await kept.until(lambda: kept.keeper.is_over)

        assert kept.ends[0].exit_code == -signal.SIGTERM

    asyncio.run(scenario())


def test_a_signal_is_held_back_from_a_child_that_has_no_handler_for_it() -> None:
    async def scenario() -> None:
        kept = _Kept(_WAITS)
        await kept.keeper.start_first(0.0)
        kept.keeper.tell(signal.SIGUSR1)
        await asyncio.sleep(0.05)
        await kept.keeper.tick(0.1)

        assert kept.ends == []
        await kept.end()

    asyncio.run(scenario())


def test_a_child_that_cannot_be_started_again_is_tried_later() -> None:
    async def scenario() -> None:
        async def missing() -> Child:
            raise FileNotFoundError("no such program")

        kept = _Kept(_ENDS_WITH_3)
        await kept.keeper.start_first(0.0)
        await kept.until(lambda: kept.ends != [], now=1.0)
        kept.keeper._new_child = missing
        assert not await kept.keeper.tick(10.0)
        kept.keeper._new_child = _starts(_WAITS)

        assert not await kept.keeper.tick(10.1)
        assert await kept.keeper.tick(20.0)
        await kept.end()

    asyncio.run(scenario())


@pytest.mark.parametrize("exit_code", [0, 1])
def test_what_has_to_be_done_after_an_end_is_done_before_the_next_start(exit_code: int) -> None:
    order: list[str] = []

    async def scenario() -> None:
        async def start() -> Child:
            order.append("start")
            return await _starts(f"raise SystemExit({exit_code})")()

        async def after_end(_end: End) -> None:
            order.append("after end")

        keeper = Keeper(role="script", start=start, after_end=after_end)
        await keeper.start_first(0.0)
        async with asyncio.timeout(20):
            while order.count("start") < 2:
                await keeper.tick(asyncio.get_running_loop().time())
                await asyncio.sleep(0.005)
            keeper.stop_at_once()
            while not keeper.is_over:
                await keeper.tick(asyncio.get_running_loop().time())
                await asyncio.sleep(0.005)

    asyncio.run(scenario())
    assert order[:3] == ["start", "after end", "start"]
