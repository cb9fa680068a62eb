"""Files that came to the lake are told once, with the segments that they name."""

from pathlib import Path

from sluice.lake.arrivals import Arrivals
from tests.support.lake_log import HOUR, MemoryLog, record
from tests.support.lake_service import files, publish_all, started


def _publish(data_dir: Path, log: MemoryLog, number: int) -> str:
    segment = log.seal([record(b'{"events":[{"eventName":"a","time":1}]}', number=number)])
    publish_all(started(data_dir, log))
    return segment.id


def test_a_file_that_came_is_told_once_with_its_segments(tmp_path: Path) -> None:
    log = MemoryLog()
    _publish(tmp_path, log, 1)
    arrivals = Arrivals(tmp_path / "lake/events")
    arrivals.begin([HOUR])
    segment = _publish(tmp_path, log, 2)

    found = arrivals.look([HOUR, "20260131T08"])

    assert [[(each.id, each.records) for each in arrival.segments] for arrival in found] == [[(segment, 1)]]
    assert [arrival.path for arrival in found] == files(tmp_path)[1:]
    assert arrivals.look([HOUR]) == []


def test_all_files_of_an_hour_that_begins_meanwhile_are_told(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path / "lake/events")
    arrivals.begin(["20260131T06"])
    _publish(tmp_path, MemoryLog(), 1)

    assert len(arrivals.look(["20260131T06", HOUR])) == 1


def test_a_file_that_is_none_of_the_lakes_is_passed_over(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path / "lake/events")
    arrivals.begin([HOUR])
    _publish(tmp_path, MemoryLog(), 1)
    for name, content in (("strange.parquet", b"no Parquet"), ("torn.parquet", b"PAR1" + bytes(40) + b"PAR1")):
        files(tmp_path)[0].with_name(name).write_bytes(content)

    assert len(arrivals.look([HOUR])) == 1
