"""What is none of the lake's, in any of its folders, stops no writer, and holds up the hour that it lies in at most."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from sluice import disk
from sluice.lake.arrivals import Arrivals
from sluice.lake.locate import locate_rows
from sluice.lake.staging import segments_in_hand
from sluice.lake.writer import LakeWriter, Outcome
from sluice.log.ports import DamageReason
from sluice.log.reader import LocalSegments
from tests.support.foreign import FILES, KINDS, NO_FILES, immutable, put_odd_names
from tests.support.lake_log import HOUR, NOW, MemoryLog, record, seal_on_disk
from tests.support.lake_service import files, in_lake, publish_all, started

_OTHER_HOUR = "20260131T08"


def _body(name: str) -> bytes:
    return b'{"events":[{"eventName":"%s","time":1}]}' % name.encode()


def _two_hours() -> MemoryLog:
    log = MemoryLog()
    log.seal([record(_body("a"), number=1)])
    log.seal([record(_body("b"), number=2)], hour=_OTHER_HOUR)
    return log


def _turns(writer: LakeWriter, number: int = 6) -> list[Outcome]:
    return [writer.run_once(NOW, at_once=True) for _ in range(number)]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("name", ["current.json", "x.parquet", "notes"])
def test_staging_may_hold_anything(tmp_path: Path, name: str, kind: str) -> None:
    staging = tmp_path / "lake/.staging"
    staging.mkdir(parents=True)
    KINDS[kind](staging / name)
    put_odd_names(staging)

    assert segments_in_hand_or_nothing(tmp_path) == []
    publish_all(started(tmp_path, _two_hours()))

    assert in_lake(tmp_path) == ["a", "b"]
    if kind == "a folder":
        assert (staging / f"{name}.foreign/thesis.txt").read_text() == "precious"


def segments_in_hand_or_nothing(data_dir: Path) -> list[str]:
    """As the supervisor asks after a writer's death."""
    try:
        return segments_in_hand(data_dir)
    except OSError:
        return []


def test_what_cannot_be_removed_from_staging_stays(tmp_path: Path) -> None:
    staging = tmp_path / "lake/.staging"
    staging.mkdir(parents=True)
    (staging / "x.parquet").write_text("mine")
    with immutable(staging / "x.parquet") as works:
        if not works:
            pytest.skip("this file system knows no immutable files")
        publish_all(started(tmp_path, _two_hours()))

    assert in_lake(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a socket", "a link to a folder"])
def test_what_can_be_no_file_of_the_lake_holds_up_no_hour(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "lake/events/received_date=2026-01-31/received_hour=07"
    folder.mkdir(parents=True)
    NO_FILES[kind](folder / "x.parquet")

    with structlog.testing.capture_logs() as messages:
        publish_all(started(tmp_path, _two_hours()))

    assert [file.name[:11] for file in files(tmp_path) if file.name != "x.parquet"] == [HOUR, _OTHER_HOUR]
    assert "what is not the lake's is left alone" in {message["event"] for message in messages}


@pytest.mark.parametrize("kind", ["a link to nowhere", "a link to itself", *FILES])
def test_what_may_be_a_file_of_the_lake_and_cannot_be_read_holds_up_its_own_hour_alone(
    tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "lake/events/received_date=2026-01-31/received_hour=07"
    folder.mkdir(parents=True)
    KINDS[kind](folder / "x.parquet")
    log = _two_hours()

    _turns(started(tmp_path, log))

    assert [segment.hour for segment in log.waiting()] == [HOUR]
    (folder / "x.parquet").unlink()
    publish_all(started(tmp_path, log))
    assert in_lake(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("level", ["received_date=2026-01-31", "received_date=2026-01-31/received_hour=07"])
def test_a_file_in_a_folders_place_holds_up_the_hours_below_it_alone(tmp_path: Path, level: str) -> None:
    path = tmp_path / "lake/events" / level
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    log = MemoryLog()
    log.seal([record(_body("a"), number=1)])
    log.seal([record(_body("b"), number=2)], hour="20260201T00")
    writer = started(tmp_path, log)

    _turns(writer)

    assert [segment.hour for segment in log.waiting()] == [HOUR]
    path.unlink()
    _turns(writer)
    assert in_lake(tmp_path) == ["a", "b"]


def test_a_segment_that_cannot_be_removed_is_published_once_and_holds_up_nothing(tmp_path: Path) -> None:
    stuck = seal_on_disk(tmp_path, [record(_body("a"), number=1)], number=1)
    log = LocalSegments(tmp_path / "log")
    writer = started(tmp_path, log)
    with immutable(stuck) as works:
        if not works:
            pytest.skip("this file system knows no immutable files")
        _turns(writer, 2)
        seal_on_disk(tmp_path, [record(_body("b"), number=2)], number=2)
        seal_on_disk(tmp_path, [record(_body("c"), number=3)], number=3, at=NOW + 3600)
        _turns(writer)

        assert in_lake(tmp_path) == ["a", "b", "c"]
        assert [segment.id for segment in log.waiting()] == [stuck.name.partition(".")[0]]
    _turns(writer)
    assert (in_lake(tmp_path), log.waiting()) == (["a", "b", "c"], [])


@pytest.mark.parametrize("archive", [False, True])
def test_of_two_segments_of_one_id_the_larger_is_published_and_the_other_set_aside(
    tmp_path: Path, archive: bool
) -> None:
    whole = seal_on_disk(tmp_path, [record(_body(name), number=number) for number, name in enumerate("ab")])
    content = whole.read_bytes()
    first = len(content) // 2
    (whole.parent / f"{whole.name.partition('.')[0]}.1.{first}").write_bytes(content[:first])

    publish_all(started(tmp_path, LocalSegments(tmp_path / "log", archive=archive), archive=archive))

    assert in_lake(tmp_path) == ["a", "b"]
    report = json.loads(next((tmp_path / "log/damaged").glob("*.json")).read_text())
    assert (report["reason"], report["records"]) == (DamageReason.ID_TAKEN.value, 1)


def test_who_looks_for_rows_passes_over_what_is_foreign_and_names_what_may_hold_them(tmp_path: Path) -> None:
    publish_all(started(tmp_path, _two_hours()))
    table = tmp_path / "lake/events"
    (table / "notes.txt").write_text("mine")
    (table / "received_date=2026-01-30").write_text("mine")
    hour = table / "received_date=2026-01-31/received_hour=07"
    for kind, make in NO_FILES.items():
        make(hour / f"{kind}.parquet")
    for kind, make in FILES.items():
        make(hour / f"{kind}.parquet")
    put_odd_names(hour)

    located = locate_rows(table, "01981f2e-7c40-7000-8000-0123456789ab")
    arrivals = Arrivals(table)
    arrivals.begin([])

    assert {path.stem for path in located.unreadable} == {"a link to itself", "a link to a file", *FILES}
    assert [arrival.path.name[:11] for arrival in arrivals.look([HOUR])] == [HOUR]


def test_hours_of_any_age_are_hours(tmp_path: Path) -> None:
    for at in (0, datetime(2099, 12, 31, 23, tzinfo=UTC).timestamp()):
        seal_on_disk(tmp_path, [record(_body("a"), number=int(at) % 97)], number=int(at) % 97, at=at)

    publish_all(started(tmp_path, LocalSegments(tmp_path / "log")))

    assert [file.parent.parent.name for file in files(tmp_path)] == [
        "received_date=1970-01-01",
        "received_date=2099-12-31",
    ]
    assert disk.entries(tmp_path / "log/sealed") == []
