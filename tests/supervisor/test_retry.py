"""What blocks is done beside the loop, one run at a time; what fails or hangs is tried again, and told once."""

import asyncio
import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from sluice.supervisor.beside import beside
from sluice.supervisor.retry import HANGS_AFTER_S, RETRY_S, Failed, Retry
from tests.support.waiting import until


class _Disk:
    """Writes, or does as it is told."""

    def __init__(self, *outcomes: OSError | threading.Event) -> None:
        self._outcomes = list(outcomes)
        self.begun = self.ended = 0

    def write(self) -> None:
        self.begun += 1
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if isinstance(outcome, OSError):
            self.ended += 1
            raise outcome
        if outcome is not None:
            assert outcome.wait(20)
        self.ended += 1


def _file(disk: _Disk) -> Retry[None]:
    return Retry(lambda: disk.write, label="run_file", fails="it can't be written", is_over="it can be written again")


async def _at(retry: Retry[None], now: float) -> None:
    """A tick that begins what is due, and one that sees what has come of it."""
    retry.tick(now)
    await retry.rest()
    retry.tick(now)


def test_what_fails_is_tried_again_after_a_pause_until_it_succeeds() -> None:
    disk = _Disk(OSError(errno.ENOSPC, "No space left on device"), OSError("unheard of"))

    async def scenario() -> None:
        file = _file(disk)
        file.ask()
        for now in (0.0, RETRY_S - 0.1, RETRY_S, 2 * RETRY_S, 3 * RETRY_S):
            await _at(file, now)

    with structlog.testing.capture_logs() as told:
        asyncio.run(scenario())

    assert disk.ended == 3
    assert [(m["log_level"], m["event"], m.get("cause")) for m in told] == [
        ("error", "it can't be written", "ENOSPC"),
        ("error", "it can't be written", "OSError"),
        ("warning", "it can be written again", None),
    ]


def test_it_is_done_only_when_it_was_asked_for() -> None:
    disk = _Disk()

    async def scenario() -> None:
        file = _file(disk)
        await _at(file, 0.0)
        assert disk.ended == 0
        file.ask()
        for now in (1.0, 2.0, 3.0):
            await _at(file, now)

    asyncio.run(scenario())
    assert disk.ended == 1


def test_a_disk_that_hangs_holds_up_no_tick_is_told_once_and_has_one_run_at_a_time() -> None:
    goes_on = threading.Event()
    disk = _Disk(goes_on)

    async def scenario() -> None:
        file = _file(disk)
        file.ask()
        for now in range(100):
            file.tick(float(now))
            # Asked for while it is being done: it may have been written as it was before.
            file.ask()
        assert file.is_failing
        goes_on.set()
        await until(lambda: _ticked(file, 100.0) and disk.ended == 2)

    with structlog.testing.capture_logs() as told:
        asyncio.run(scenario())

    assert disk.begun == 2
    assert [(m["event"], m.get("cause"), m.get("error")) for m in told] == [
        ("it can't be written", "stall", f"no answer for {HANGS_AFTER_S:g} s"),
        ("it can be written again", None, None),
    ]


def _ticked(retry: Retry[None], now: float) -> bool:
    retry.tick(now)
    return True


def test_a_run_that_is_judged_to_have_failed_is_made_again() -> None:
    left = [2, 1, 0]

    def judge(still: int) -> Failed | None:
        return Failed("segments", "mend them", {"segments": still}) if still else None

    async def scenario() -> None:
        retry = Retry(lambda: lambda: left.pop(0), judge, label="recovery", fails="it fails", is_over="it is well")
        retry.ask()
        for turn in range(4):
            retry.tick(turn * RETRY_S)
            await retry.rest()
            retry.tick(turn * RETRY_S)

    with structlog.testing.capture_logs() as told:
        asyncio.run(scenario())

    assert left == []
    assert [m["event"] for m in told] == ["it fails", "it is well"]


def test_where_no_thread_can_be_made_the_work_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    with pytest.raises(OSError, match="can't start new thread"):
        asyncio.run(_result_of(lambda: None))


def test_work_that_hangs_keeps_no_loop_from_ending() -> None:
    for_ever = threading.Event()

    async def scenario() -> None:
        async with asyncio.timeout(0.01):
            await beside(for_ever.wait, name="hangs")

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
    for_ever.set()


async def _result_of(work: Callable[[], Any]) -> Any:
    return await beside(work, name="work")
