"""When the open segment is sealed, in which steps, and that idle time makes none."""

import asyncio
from pathlib import Path

import pytest

from sluice import disk
from sluice.log.ports import Sealed
from sluice.log.reader import LocalSegments
from sluice.log.segment import hour_of
from tests.support.log_records import HOUR_US, Clock, Recorder, appender, entry
from tests.support.waiting import until

_NOON_US = 1_767_268_800_000_000


def _sealed(folder: Path) -> list[Sealed]:
    return LocalSegments(folder).waiting()


def _names(folder: Path) -> list[str]:
    return disk.entries(folder / "open")


async def test_sealing_makes_content_then_name_durable(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry())
    recorder = Recorder()

    with disk.observed(recorder):
        assert await log.seal()

    assert recorder.verbs() == ["sync open", "rename open", "sync_folder sealed", "sync_folder open"]
    await log.close()


async def test_a_seal_says_what_the_segment_holds(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    for _ in range(3):
        await log.append(entry())
    await log.close()

    (sealed,) = _sealed(tmp_path / "log")
    (path,) = (tmp_path / "log/sealed").iterdir()
    assert sealed.records == 3
    assert sealed.size_bytes == path.stat().st_size
    assert _names(tmp_path / "log") == []


async def test_a_segment_is_sealed_at_its_age_without_another_record(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", seal_age_s=0.05)
    await log.start()
    await log.append(entry())

    await until(lambda: _sealed(tmp_path / "log"))

    assert _names(tmp_path / "log") == []
    await log.close()
    assert len(_sealed(tmp_path / "log")) == 1


async def test_a_segment_is_sealed_at_its_age_under_load(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", seal_age_s=0.05)
    await log.start()

    while len(_sealed(tmp_path / "log")) < 2:
        await asyncio.gather(*(log.append(entry()) for _ in range(10)))

    await log.close()


async def test_a_segment_is_sealed_at_its_size_without_another_record(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", seal_size_bytes=5000)
    await log.start()
    await log.append(entry(bytes(6000)))

    await until(lambda: _sealed(tmp_path / "log"))

    await log.close()


async def test_a_segment_exceeds_its_size_by_less_than_one_record(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", seal_size_bytes=5000)
    await log.start()

    await asyncio.gather(*(log.append(entry(bytes(1000))) for _ in range(40)))

    await log.close()
    sealed = _sealed(tmp_path / "log")
    assert sum(segment.records for segment in sealed) == 40
    assert all(segment.size_bytes < 5000 + 1200 for segment in sealed)


async def test_the_hour_of_a_record_is_that_of_its_segment(tmp_path: Path) -> None:
    clock = Clock(_NOON_US + HOUR_US - 2)
    log = appender(tmp_path / "log", clock=clock)
    await log.start()
    appends = []
    for _ in range(4):
        appends.append(asyncio.create_task(log.append(entry())))
        await asyncio.sleep(0)
        clock.us += 1
    await asyncio.gather(*appends)
    await log.close()

    segments = LocalSegments(tmp_path / "log")
    assert [segment.hour for segment in segments.waiting()] == ["20260101T12", "20260101T13"]
    for segment in segments.waiting():
        hours = {hour_of(part[1].received_at_us) for part in segments.read(segment) if isinstance(part, tuple)}
        assert hours == {segment.hour}


async def test_a_segment_is_sealed_when_its_hour_ends_without_another_record(tmp_path: Path) -> None:
    clock = Clock(_NOON_US + HOUR_US - 20_000)
    log = appender(tmp_path / "log", clock=clock)
    await log.start()
    await log.append(entry())
    clock.us += 20_000

    await until(lambda: _sealed(tmp_path / "log"))

    await log.close()


@pytest.mark.parametrize("step_us", [1_000, 600_000, 60_000_000, 2 * HOUR_US])
async def test_received_at_never_runs_backwards_within_a_segment(tmp_path: Path, step_us: int) -> None:
    clock = Clock(_NOON_US + 5)
    log = appender(tmp_path / "log", clock=clock)
    await log.start()
    for step in (0, 1000, -step_us, 10, -step_us, 10):
        clock.us += step
        await log.append(entry())
    await log.close()

    segments = LocalSegments(tmp_path / "log")
    assert sum(segment.records for segment in segments.waiting()) == 6
    for segment in segments.waiting():
        times = [part[1].received_at_us for part in segments.read(segment) if isinstance(part, tuple)]
        assert times == sorted(times)
        assert {hour_of(time_us) for time_us in times} == {segment.hour}


async def test_idle_time_makes_no_segments(tmp_path: Path) -> None:
    log = appender(tmp_path / "log", seal_age_s=0.001)
    await log.start()

    assert await log.seal()

    await asyncio.sleep(0.02)
    await log.close()
    assert _names(tmp_path / "log") == []
    assert _sealed(tmp_path / "log") == []


async def test_sealing_is_asked_for_under_load_and_done_at_once(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry(b"acknowledged"))
    load = [asyncio.create_task(log.append(entry())) for _ in range(100)]

    await asyncio.gather(*(log.seal() for _ in range(3)))

    assert _sealed(tmp_path / "log")
    await asyncio.gather(*load)
    await log.close()
    assert sum(segment.records for segment in _sealed(tmp_path / "log")) == 101


async def test_an_open_segment_is_locked_until_it_is_sealed(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    await log.append(entry())
    with disk.append_to(next((tmp_path / "log/open").iterdir())) as other:
        assert not other.try_lock()
        await log.close()
        assert other.try_lock()


async def test_a_segment_that_is_taken_away_before_it_is_locked_is_replaced_by_another(tmp_path: Path) -> None:
    class Takes(Recorder):
        def after(self, operation: disk.Operation) -> None:
            super().after(operation)
            if operation.verb == "create" and len(self.done) <= 2:
                Path(operation.path).unlink()

    log = appender(tmp_path / "log")
    await log.start()

    with disk.observed(Takes()):
        await log.append(entry())
        await log.close()

    assert [segment.records for segment in _sealed(tmp_path / "log")] == [1]
