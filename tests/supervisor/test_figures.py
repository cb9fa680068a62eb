"""How far the lake is behind, by the backlog of the log."""

from pathlib import Path

from sluice.log.refused import refused_log
from sluice.log.segment import new_segment_id
from sluice.supervisor.figures import LakeLag, lake_lag
from tests.support.log_records import sealed_segment

# RFC 9562, section 5.7: the first 48 bits of a UUIDv7 are milliseconds; these are of 1 s and 5 s after the epoch.
_AT_1_S = "19700101T00-n-00000000-03e8-7000-8000-000000000000"
_AT_5_S = "19700101T00-n-00000000-1388-7000-8000-000000000000"


def _log(data_dir: Path, *, opened: dict[str, int], sealed: dict[str, int]) -> None:
    for folder, files in (("open", opened), ("sealed", sealed)):
        (data_dir / "log" / folder).mkdir(parents=True)
        for name, size in files.items():
            (data_dir / "log" / folder / name).write_bytes(b"x" * size)


def test_without_a_log_nothing_waits(tmp_path: Path) -> None:
    assert lake_lag(tmp_path, now=10.0) == LakeLag()


def test_open_and_sealed_segments_wait_and_the_oldest_counts(tmp_path: Path) -> None:
    _log(tmp_path, opened={_AT_5_S: 30}, sealed={f"{_AT_1_S}.2.100": 100})

    assert lake_lag(tmp_path, now=11.0) == LakeLag(waiting_segments=2, waiting_bytes=130, oldest_waiting_s=10.0)


def test_an_open_segment_without_a_byte_holds_nothing_up(tmp_path: Path) -> None:
    _log(tmp_path, opened={new_segment_id(hour="20260101T00", node="n"): 0}, sealed={})

    assert lake_lag(tmp_path, now=11.0) == LakeLag()


def test_foreign_names_are_not_counted(tmp_path: Path) -> None:
    _log(tmp_path, opened={"lost+found": 5}, sealed={"README": 5})

    assert lake_lag(tmp_path, now=11.0) == LakeLag()


def test_refused_requests_that_wait_are_told_apart(tmp_path: Path) -> None:
    sealed_segment(refused_log(tmp_path), b"x" * 30, records=1)

    lag = lake_lag(tmp_path, now=11.0)

    assert (lag.waiting_segments, lag.rejects_waiting_segments, lag.rejects_waiting_bytes) == (0, 1, 30)
