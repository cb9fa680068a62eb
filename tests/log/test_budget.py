"""The log's budget: what waits for the lake, and how much of the disk must stay free."""

import itertools
import os
from pathlib import Path

import pytest

from sluice import disk
from sluice.log.budget import Budget
from sluice.log.failing import WriterFailed
from sluice.log.metrics import Failure
from sluice.log.ports import LogUnavailable
from sluice.log.reader import LocalSegments
from sluice.log.recovery import recover
from sluice.log.segment import Folders
from tests.support.log_records import appender, bodies_in, entry, frame_of, open_segment, sealed_segment
from tests.support.waiting import until


class _Watch:
    """A clock of seconds that goes as it is told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _budget(log: Path, clock: _Watch, *, limit: int | None = 1000, min_free: int = 0) -> Budget:
    (log / "open").mkdir(parents=True, exist_ok=True)
    return Budget(Folders(log), min_free_bytes=min_free, max_log_bytes=limit, clock=clock)


def _refusal(budget: Budget, size_bytes: int = 1) -> Failure:
    with pytest.raises(WriterFailed) as refused:
        budget.require(size_bytes)
    return refused.value.cause


def test_open_and_sealed_segments_count_whoever_wrote_them(tmp_path: Path) -> None:
    sealed_segment(tmp_path, bytes(600), records=1)
    budget = _budget(tmp_path, clock := _Watch())
    budget.require(1)

    open_segment(tmp_path, bytes(400))
    clock.now_s += 1.0

    assert _refusal(budget) is Failure.LOG_FULL


def test_damaged_and_archived_segments_and_the_lake_do_not_count(tmp_path: Path) -> None:
    for folder in ("log/damaged", "log/archive", "lake/events"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / sealed_segment(tmp_path / "other", b"", records=1, size_bytes=5000).id).write_bytes(
            bytes(5000)
        )

    _budget(tmp_path / "log", _Watch()).require(1)


def test_what_a_writer_appends_itself_counts_at_once(tmp_path: Path) -> None:
    budget = _budget(tmp_path, _Watch())
    budget.require(1)

    budget.count(1000)

    assert _refusal(budget) is Failure.LOG_FULL


def test_the_folder_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr("sluice.log.budget.backlog", lambda _: looks.append(1) or ())
    budget = _budget(tmp_path, clock := _Watch())

    for _ in range(100):
        budget.require(1)
        clock.now_s += 0.0205

    assert len(looks) == 3


def test_a_look_that_takes_long_is_taken_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    clock = _Watch()

    def look(_: Folders) -> tuple[()]:
        looks.append(clock.now_s)
        clock.now_s += 0.5
        return ()

    monkeypatch.setattr("sluice.log.budget.backlog", look)
    budget = _budget(tmp_path, clock)
    for _ in range(300):
        budget.require(1)
        clock.now_s += 0.1

    assert {round(later - earlier) for earlier, later in itertools.pairwise(looks)} == {10}


def test_a_full_log_takes_records_again_only_when_a_twentieth_is_free(tmp_path: Path) -> None:
    segments = [sealed_segment(tmp_path, bytes(size), records=1) for size in (970, 20, 10)]
    budget = _budget(tmp_path, _Watch())
    assert _refusal(budget) is Failure.LOG_FULL

    LocalSegments(tmp_path).done([segments[1]])
    assert _refusal(budget) is Failure.LOG_FULL
    LocalSegments(tmp_path).done([segments[0]])
    sealed_segment(tmp_path, bytes(930), records=1)

    budget.require(1)


def test_below_its_limit_a_log_that_was_never_full_needs_no_margin(tmp_path: Path) -> None:
    sealed_segment(tmp_path, bytes(999), records=1)

    _budget(tmp_path, _Watch()).require(1)


def test_a_disk_at_its_floor_needs_a_margin_to_be_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 999
    monkeypatch.setattr(disk, "free_bytes", lambda _: free)
    budget = _budget(tmp_path, _Watch(), min_free=1000, limit=None)
    assert _refusal(budget) is Failure.DISK_FLOOR

    free = 1049
    assert _refusal(budget, 0) is Failure.DISK_FLOOR
    free = 1051

    budget.require(1)
    free = 1010
    budget.require(1)


def test_a_folder_that_cannot_be_listed_refuses(tmp_path: Path) -> None:
    budget = _budget(tmp_path, _Watch())
    (tmp_path / "sealed").write_text("in the way")

    assert _refusal(budget) is Failure.PROBE


async def test_a_limit_far_below_a_segment_is_kept_within_a_commit_and_what_is_open_goes_to_the_lake(
    tmp_path: Path,
) -> None:
    log = appender(tmp_path, max_log_bytes=64 * 1024, seal_size_bytes=64 << 20)
    await log.start()
    acknowledged = []
    for number in range(100):
        body = b"%04d" % number + os.urandom(4096)
        try:
            await log.append(entry(body))
        except LogUnavailable:
            break
        acknowledged.append(body)

    assert 60 * 1024 <= sum(map(len, acknowledged)) < 68 * 1024
    # What was open is sealed, or it would never make room.
    await until(lambda: bodies_in(tmp_path) == acknowledged)
    assert not log.healthy
    LocalSegments(tmp_path).done(LocalSegments(tmp_path).waiting())
    await until(lambda: log.healthy)
    await log.close()


async def test_segments_that_recovery_sealed_count(tmp_path: Path) -> None:
    open_segment(tmp_path, frame_of(bytes(2000)))
    recover(tmp_path)
    log = appender(tmp_path, max_log_bytes=1000)

    await log.start()

    assert not log.healthy
    await log.close()


async def test_a_log_that_nobody_writes_to_is_found_full_by_a_look_and_well_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10**9
    monkeypatch.setattr(disk, "free_bytes", lambda _: free)
    log = appender(tmp_path, min_free_bytes=10**6)
    await log.start()
    assert log.healthy

    free = 10**6
    log.look()
    await until(lambda: not log.healthy)
    free = 10**9

    await until(lambda: log.healthy)
    await log.append(entry(b"taken"))
    await log.close()
    assert bodies_in(tmp_path) == [b"taken"]
