"""The disk hangs: whoever waits is answered, no more is taken, and it goes on by itself when the disk does."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from sluice import disk
from sluice.log import metrics
from sluice.log.appender import SegmentAppender
from sluice.log.metrics import Failure
from sluice.log.ports import LogUnavailable
from sluice.log.recovery import recover
from sluice.log.segment import is_probe
from tests.support.log_records import HOUR_US, Clock, Recorder, appender, bodies_in, entry
from tests.support.waiting import until

_STALLS_AFTER_S = 0.1


class _Hangs(Recorder):
    """Holds operations of one kind until it is told to let them go; what was held is then done, or fails."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.held = threading.Event()
        self.gate = threading.Event()
        self.error: OSError | None = None
        self._verb = verb

    def before(self, operation: disk.Operation) -> None:
        super().before(operation)
        if operation.verb == self._verb and not self.gate.is_set():
            self.held.set()
            assert self.gate.wait(timeout=20)
            if self.error is not None:
                raise self.error


@contextmanager
def _hanging(verb: str) -> Iterator[_Hangs]:
    hangs = _Hangs(verb)
    with disk.observed(hangs):
        try:
            yield hangs
        finally:
            hangs.gate.set()


async def _started(log: Path) -> SegmentAppender:
    started = appender(log, stalls_after_s=_STALLS_AFTER_S)
    await started.start()
    await started.append(entry(b"before"))
    return started


def _waiting_bytes() -> float:
    return float(metrics.queue_bytes._value.get())


def _shown(cause: Failure) -> float:
    return float(metrics.outages.labels(cause.value)._value.get())


@pytest.mark.parametrize("verb", ["write", "datasync"])
async def test_a_commit_that_hangs_is_answered_and_what_it_wrote_is_taken_back(tmp_path: Path, verb: str) -> None:
    log = await _started(tmp_path)
    with _hanging(verb) as hangs:
        during = asyncio.create_task(log.append(entry(b"during")))
        await until(hangs.held.is_set)
        waiting = asyncio.create_task(log.append(entry(b"waiting")))

        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(during, timeout=5)
        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(waiting, timeout=5)
        assert not log.healthy
        assert _shown(Failure.STALL) == 1
        with pytest.raises(LogUnavailable):
            await log.append(entry(b"refused at once"))

        hangs.gate.set()
        await until(lambda: log.healthy)
    await log.append(entry(b"behind"))
    await log.close()

    assert bodies_in(tmp_path) == [b"before", b"behind"]
    assert _shown(Failure.STALL) == 0


@pytest.mark.parametrize("verb", ["create", "rename"], ids=["a segment's beginning", "the seal of the one before"])
async def test_what_was_given_up_before_it_was_written_is_not_written_any_more(tmp_path: Path, verb: str) -> None:
    clock = Clock(HOUR_US // 2)
    log = appender(tmp_path, stalls_after_s=_STALLS_AFTER_S, clock=clock)
    await log.start()
    await log.append(entry(b"before"))
    clock.us += HOUR_US
    if verb == "create":
        await log.seal()
    with _hanging(verb) as hangs:
        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(log.append(entry(b"during")), timeout=5)
        hangs.gate.set()
        await until(lambda: log.healthy)
        written = [o.path for o in hangs.begun if o.verb == "write" and not is_probe(Path(o.path).name)]
    await log.append(entry(b"behind"))
    await log.close()

    assert written == []
    assert bodies_in(tmp_path) == [b"before", b"behind"]


@pytest.mark.parametrize("hangs_long", [True, False], ids=["it hangs", "it fails"])
async def test_what_was_refused_does_not_wait_any_more(tmp_path: Path, hangs_long: bool) -> None:
    log = await _started(tmp_path)
    with _hanging("datasync") as hangs:
        hangs.error = OSError(5, "Input/output error")
        during = asyncio.create_task(log.append(entry(bytes(1000))))
        await until(hangs.held.is_set)
        waiting = asyncio.create_task(log.append(entry(bytes(2000))))
        await asyncio.sleep(0)
        assert 3000 < _waiting_bytes() < 3400
        if not hangs_long:
            hangs.gate.set()
        for refused in (during, waiting):
            with pytest.raises(LogUnavailable):
                await asyncio.wait_for(refused, timeout=5)

        assert _waiting_bytes() == 0
        hangs.gate.set()
        await until(lambda: log.healthy)
    await log.close()


async def test_a_seal_that_hangs_is_answered_and_done_when_the_disk_goes_on(tmp_path: Path) -> None:
    log = await _started(tmp_path)
    with _hanging("rename") as hangs:
        seal = asyncio.create_task(log.seal())
        await until(hangs.held.is_set)
        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(log.append(entry(b"during")), timeout=5)
        hangs.gate.set()
        assert await seal
        await until(lambda: log.healthy)
    await log.append(entry(b"behind"))
    await log.close()

    assert bodies_in(tmp_path) == [b"before", b"behind"]


async def test_a_commit_that_hangs_and_then_fails_is_an_outage_like_any_other(tmp_path: Path) -> None:
    log = await _started(tmp_path)
    with _hanging("datasync") as hangs, structlog.testing.capture_logs() as messages:
        hangs.error = OSError(5, "Input/output error")
        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(log.append(entry(b"during")), timeout=5)
        hangs.gate.set()
        await until(lambda: log.healthy)
    await log.append(entry(b"behind"))
    await log.close()

    assert bodies_in(tmp_path) == [b"before", b"behind"]
    assert [(m["event"], m.get("cause")) for m in messages] == [
        ("log takes no events", "stall"),
        ("log takes no events", "sync"),
        ("log takes events again", None),
    ]
    assert messages[0]["path"] == str(tmp_path)
    assert "0.1 s" in messages[0]["error"]
    assert messages[-1]["refused_requests"] == 1


async def test_a_stall_that_is_seen_when_the_disk_has_just_gone_on_is_mended_all_the_same(tmp_path: Path) -> None:
    log = await _started(tmp_path)
    for _ in range(20):
        # What the watch saw of a job that has ended by the time at which it acts.
        with log._lock:
            log._begin_outage(RuntimeError("it hung"), refused=0)
        await until(lambda: log.healthy)
    await log.append(entry(b"behind"))
    await log.close()

    assert bodies_in(tmp_path) == [b"before", b"behind"]


async def test_a_death_while_the_disk_hangs_leaves_what_was_given_up_whole_or_not_at_all(tmp_path: Path) -> None:
    log = await _started(tmp_path)
    with _hanging("datasync") as hangs:
        with pytest.raises(LogUnavailable):
            await asyncio.wait_for(log.append(entry(b"during")), timeout=5)
        # As the process's end does.
        assert log._writer.open is not None
        log._writer.open._file.close()
        recover(tmp_path)

        assert bodies_in(tmp_path) in ([b"before"], [b"before", b"during"])
        hangs.gate.set()
        await until(lambda: log._outage is not None and not log._queue)
    await log.close()


async def test_a_commit_is_either_acknowledged_or_taken_back_however_late_it_comes(tmp_path: Path) -> None:
    """The disk is about as slow as the patience is long, so that either may come first."""
    log = appender(tmp_path, stalls_after_s=0.02)
    await log.start()
    acknowledged = []

    class Slow(Recorder):
        def before(self, operation: disk.Operation) -> None:
            if operation.verb == "datasync":
                threading.Event().wait(0.0197)

    with disk.observed(Slow()):
        for number in range(40):
            body = b"%d" % number
            try:
                await log.append(entry(body))
                acknowledged.append(body)
            except LogUnavailable:
                await until(lambda: log.healthy)
    await log.close()

    assert bodies_in(tmp_path) == acknowledged
