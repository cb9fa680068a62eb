"""Recovery is tried until it succeeds, and tells that it does not once, not each time."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import structlog

from sluice.log.recovery import RecoveryReport
from sluice.supervisor.recovery import Recovery
from sluice.supervisor.retry import RETRY_S
from tests.support.waiting import until


def _report(*failed: str) -> RecoveryReport:
    return RecoveryReport(sealed=(), cut_bytes=0, removed=(), set_aside=(), in_use=(), failed=tuple(failed), foreign=())


class _Log:
    """A log whose recovery comes to these, one after the other."""

    def __init__(self, outcomes: Sequence[RecoveryReport | OSError]) -> None:
        self._left = list(outcomes)
        self.last = outcomes[-1]
        self.told_before: list[RecoveryReport | None] = []

    def recover(self, before: RecoveryReport | None) -> RecoveryReport:
        self.told_before.append(before)
        outcome = self._left.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome


def _run(log: _Log) -> tuple[Recovery, list[Any]]:
    """Ask for recovery, and let time pass until the last outcome; what has come of it, and what was told."""

    async def scenario() -> Recovery:
        recovery = Recovery(log.recover, log="requests")
        recovery.ask()
        now = 0.0
        async with asyncio.timeout(20):
            while recovery._before is not log.last:
                recovery.tick(now)
                await asyncio.sleep(0.001)
                now += RETRY_S / 4
        return recovery

    with structlog.testing.capture_logs() as messages:
        return asyncio.run(scenario()), messages


def test_a_log_that_cannot_be_looked_at_is_recovered_when_it_can() -> None:
    log = _Log([OSError(5, "Input/output error")] * 5 + [_report()])

    recovery, messages = _run(log)

    assert recovery.has_run
    assert len(log.told_before) == 6
    assert [(m["log_level"], m["event"], m["log"]) for m in messages] == [
        ("error", "recovery failed, and is tried again", "requests"),
        ("warning", "recovery has succeeded", "requests"),
    ]
    assert messages[0]["hint"] == "see dmesg: the disk of the data folder fails"


def test_a_segment_that_cannot_be_recovered_is_tried_again_and_told_once() -> None:
    log = _Log([_report("a", "b"), _report("b"), _report("b"), _report()])

    _, messages = _run(log)

    assert [m["log_level"] for m in messages] == ["error", "warning"]
    # What was told before is known to the next run, so that it does not tell it again.
    assert log.told_before == [None, _report("a", "b"), _report("b"), _report("b")]


def test_workers_may_start_and_a_stop_waits_no_longer_though_a_segment_cannot_be_recovered() -> None:
    recovery, messages = _run(_Log([_report("a")]))

    assert recovery.has_run
    assert recovery.has_seen_all
    assert [m["log_level"] for m in messages] == ["error"]


def test_a_stop_waits_for_a_run_that_began_after_the_last_death() -> None:
    may_end = threading.Event()
    runs = []

    def recover(before: RecoveryReport | None) -> RecoveryReport:
        runs.append(before)
        assert may_end.wait(20)
        return _report()

    async def scenario() -> None:
        recovery = Recovery(recover, log="requests")
        recovery.ask()
        recovery.tick(0.0)
        await until(lambda: runs)
        # It may have passed the segment by, whose lock was held then.
        recovery.ask()
        may_end.set()
        await until(lambda: _ticked(recovery).has_run)
        assert not recovery.has_seen_all
        await until(lambda: _ticked(recovery).has_seen_all)
        assert len(runs) == 2

    asyncio.run(scenario())


def _ticked(recovery: Recovery) -> Recovery:
    recovery.tick(0.0)
    return recovery
