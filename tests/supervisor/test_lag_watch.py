"""How far the lake is behind is looked at again and again; what was seen last stands while the disk doesn't answer."""

import asyncio
import errno
import threading
from collections.abc import Callable

import pytest

from sluice.supervisor.figures import LakeLag
from sluice.supervisor.lag_watch import LagWatch
from tests.support.waiting import until


class _Log:
    """Its segments are as many as the looks at it; a look may have to wait, or fail."""

    def __init__(self) -> None:
        self.looks = 0
        self.error: OSError | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()

    def look(self) -> LakeLag:
        assert self.goes_on.wait(20)
        if self.error is not None:
            raise self.error
        self.looks += 1
        return LakeLag(waiting_segments=self.looks)


class _Watched:
    def __init__(self) -> None:
        self.log = _Log()
        self.now = 100.0
        self.watch = LagWatch(self.log.look, clock=lambda: self.now)

    def ticked(self, seconds: float = 0.0) -> LakeLag:
        self.now += seconds
        self.watch.tick(self.now)
        return self.watch.lag


def _run(scenario: Callable[[_Watched], object]) -> None:
    async def run() -> None:
        await scenario(_Watched())  # type: ignore[misc]  # each scenario is a coroutine

    asyncio.run(run())


def test_it_looks_once_a_second_and_says_when_it_looked() -> None:
    async def scenario(watched: _Watched) -> None:
        await until(lambda: watched.ticked().waiting_segments == 1)
        for _ in range(9):
            watched.ticked(0.1)
        assert watched.log.looks == 1
        assert watched.watch.looked_at == 100.0
        await until(lambda: watched.ticked(0.1).waiting_segments == 2)
        assert watched.watch.looked_at == pytest.approx(101.0, abs=0.2)

    _run(scenario)


def test_while_the_disk_hangs_the_last_stands_with_its_age_and_afterwards_it_is_looked_at_as_often_as_before() -> None:
    async def scenario(watched: _Watched) -> None:
        await until(lambda: watched.ticked().waiting_segments == 1)
        watched.log.goes_on.clear()
        for _ in range(100):
            assert watched.ticked(1.0).waiting_segments == 1
        assert watched.watch.looked_at == 100.0
        watched.log.goes_on.set()
        await until(lambda: watched.ticked().waiting_segments == 2)
        # A look that took long because the disk hung is not one that takes much to do.
        await until(lambda: watched.ticked(0.5).waiting_segments == 3)
        assert watched.now < 210

    _run(scenario)


def test_the_last_look_is_made_anew_and_raises_what_hinders_it() -> None:
    async def scenario(watched: _Watched) -> None:
        await until(lambda: watched.ticked().waiting_segments == 1)
        assert (await watched.watch.look_at_last(within_s=10)).waiting_segments == 2
        watched.log.error = OSError(errno.EIO, "Input/output error")
        with pytest.raises(OSError, match="Input/output"):
            await watched.watch.look_at_last(within_s=10)
        watched.log.goes_on.clear()
        with pytest.raises(TimeoutError):
            await watched.watch.look_at_last(within_s=0.01)
        watched.log.goes_on.set()

    _run(scenario)
