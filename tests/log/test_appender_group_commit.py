"""Callers are answered when the write that holds their record is durable, and those that wait share a write."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from sluice import disk
from sluice.log.ports import LogUnavailable
from sluice.log.reader import LocalSegments
from tests.support.log_records import Recorder, appender, bodies_in, entry
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.log.appender import SegmentAppender


class Gate(Recorder):
    """Holds every datasync until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self._open = threading.Event()

    def before(self, operation: disk.Operation) -> None:
        super().before(operation)
        if operation.verb == "datasync":
            assert self._open.wait(10)

    def open(self) -> None:
        self._open.set()

    def is_reached(self) -> bool:
        return any(operation.verb == "datasync" for operation in self.begun)


async def test_no_append_returns_before_the_datasync_of_its_write(tmp_path: Path) -> None:
    recorder = Recorder()
    log = appender(tmp_path / "log")
    await log.start()

    async def append(body: bytes) -> None:
        await log.append(entry(body))
        done = list(recorder.done)
        written = next(i for i, o in enumerate(done) if o.verb == "write" and body in o.data)
        assert any(o.verb == "datasync" and o.path == done[written].path for o in done[written:])

    with disk.observed(recorder):
        await asyncio.gather(*(append(b"<%d>" % index) for index in range(100)))
        await log.close()


async def test_the_segments_name_is_durable_before_its_first_record_is_acknowledged(tmp_path: Path) -> None:
    recorder = Recorder()
    log = appender(tmp_path / "log")
    await log.start()

    with disk.observed(recorder):
        await log.append(entry())
        done = recorder.verbs()
        await log.close()

    assert done == ["create open", "sync_folder open", "write open", "datasync open"]


async def test_there_is_no_answer_while_the_datasync_hangs(tmp_path: Path) -> None:
    gate = Gate()
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(gate):
        waiting = asyncio.create_task(log.append(entry()))
        await until(gate.is_reached)
        await asyncio.sleep(0)

        assert not waiting.done()
        gate.open()
        await waiting
        await log.close()


async def test_callers_that_wait_while_a_commit_runs_share_the_next(tmp_path: Path) -> None:
    gate = Gate()
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(gate):
        first = asyncio.create_task(log.append(entry()))
        await until(gate.is_reached)
        others = [asyncio.create_task(log.append(entry())) for _ in range(50)]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, *others)
        commits = [operation for operation in gate.done if operation.verb == "datasync"]
        await log.close()

    assert len(commits) == 2


async def test_callers_that_become_ready_together_share_commits(tmp_path: Path) -> None:
    recorder = Recorder()
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(recorder):
        await asyncio.gather(*(log.append(entry()) for _ in range(50)))
        await log.close()

    # The first may be on its way before the others are there.
    assert [operation.verb for operation in recorder.done].count("datasync") <= 2


async def test_the_loop_goes_on_while_the_disk_hangs(tmp_path: Path) -> None:
    gate = Gate()
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(gate):
        waiting = asyncio.create_task(log.append(entry()))
        await until(gate.is_reached)
        for _ in range(100):
            await asyncio.sleep(0)
        gate.open()
        await waiting
        await log.close()


async def test_a_caller_that_goes_away_cancels_no_commit(tmp_path: Path) -> None:
    gate = Gate()
    log = appender(tmp_path / "log")
    await log.start()
    with disk.observed(gate):
        in_commit = asyncio.create_task(log.append(entry(b"in commit")))
        await until(gate.is_reached)
        in_queue = asyncio.create_task(log.append(entry(b"in queue")))
        stays = asyncio.create_task(log.append(entry(b"stays")))
        await asyncio.sleep(0)
        in_commit.cancel()
        in_queue.cancel()
        gate.open()
        await stays
        await log.close()

    assert in_commit.cancelled()
    assert in_queue.cancelled()
    assert bodies_in(tmp_path / "log") == [b"in commit", b"in queue", b"stays"]


async def test_what_waits_is_bounded_in_bytes(tmp_path: Path) -> None:
    gate = Gate()
    log = appender(tmp_path / "log", queue_bytes=3000)
    await log.start()
    with disk.observed(gate):
        accepted = [asyncio.create_task(log.append(entry(bytes(1000)))) for _ in range(2)]
        await until(gate.is_reached)

        with pytest.raises(LogUnavailable, match="the log can't take events now; send the batch again later"):
            await log.append(entry(bytes(1000)))
        assert log.healthy
        gate.open()
        await asyncio.gather(*accepted)
        await log.append(entry(bytes(1000)))
        await log.close()

    assert len(bodies_in(tmp_path / "log")) == 3


async def test_a_record_larger_than_the_bound_is_taken_when_nothing_else_waits(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", queue_bytes=100)
    await log.start()

    await log.append(entry(bytes(1000)))

    await log.close()
    assert bodies_in(tmp_path / "log") == [bytes(1000)]


async def test_closing_answers_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    waiting = [asyncio.create_task(log.append(entry(b"%d" % index))) for index in range(10)]
    await asyncio.sleep(0)

    await log.close()

    await asyncio.gather(*waiting)
    assert bodies_in(tmp_path / "log") == [b"%d" % index for index in range(10)]
    assert not log.healthy
    assert await log.seal()
    with pytest.raises(LogUnavailable):
        await log.append(entry())
    await log.close()


async def test_closing_what_was_not_started_does_nothing(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")

    await log.close()

    assert not log.healthy
    with pytest.raises(LogUnavailable):
        await log.append(entry())
    assert not (tmp_path / "log").exists()


async def test_two_nodes_write_side_by_side(tmp_path: Path) -> None:
    logs: list[SegmentAppender] = [appender(tmp_path / "log") for _ in range(2)]
    for log in logs:
        await log.start()

    await asyncio.gather(*(log.append(entry()) for log in logs for _ in range(10)))

    for log in logs:
        await log.close()
    assert [segment.records for segment in LocalSegments(tmp_path / "log").waiting()] == [10, 10]
