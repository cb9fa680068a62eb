import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.lake.query import connect
from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS
from tests.support.lake_log import MemoryLog, record
from tests.support.lake_service import publish_all, started

_BODY = b'{"events":[{"eventName":"a","time":1,"metadata":{"k" : 1},"user":{"customIDs":{"x":"y"}}}]}'


def _publish(data_dir: Path) -> None:
    log = MemoryLog()
    log.seal([record(_BODY)])
    publish_all(started(data_dir, log))


def _rows(data_dir: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(data_dir) as connection:
        relation = connection.sql(sql)
        return [] if relation is None else relation.fetchall()


def _shape(data_dir: Path, view: str) -> list[tuple[str, str]]:
    return [(str(name), str(type_)) for name, type_, *_ in _rows(data_dir, f"describe {view}")]


@pytest.mark.parametrize(("view", "columns"), [("events", EVENT_COLUMNS), ("rejects", REJECT_COLUMNS)])
def test_an_empty_lake_is_an_empty_view_with_all_columns(
    view: str, columns: tuple[object, ...], tmp_path: Path
) -> None:
    assert [name for name, _ in _shape(tmp_path, view)] == [c.name for c in (*columns, *PARTITION_COLUMNS)]  # type: ignore[attr-defined]  # a Column
    assert _rows(tmp_path, f"select * from {view}") == []


def test_a_lake_with_rows_has_the_columns_and_types_of_an_empty_one(tmp_path: Path) -> None:
    empty = _shape(tmp_path, "events")

    _publish(tmp_path)

    assert _shape(tmp_path, "events") == empty
    assert dict(empty)["received_at"] == "TIMESTAMP WITH TIME ZONE"
    assert dict(empty)["metadata"] == "VARCHAR"
    assert (dict(empty)["received_date"], dict(empty)["received_hour"]) == ("DATE", "BIGINT")


@pytest.mark.parametrize(
    "call",
    [
        "events_distinct",
        "exposures",
        "exposures('companyID', since := '2026-01-01')",
        "metric_by_group('x', 'a', measure := 'sum', days := 7, only_groups := ['r'])",
        "metric_difference('x', 'a', 'r')",
        "sample_ratio('x')",
        "sample_ratio('x', shares := MAP {'r': 1, 's': 1})",
    ],
)
def test_views_of_an_empty_lake_are_empty_with_the_columns_of_a_full_one(
    call: str, tmp_path: Path, two_days: Path
) -> None:
    assert _rows(tmp_path, f"from {call}") == []
    assert _shape(tmp_path, f"from {call}") == _shape(two_days, f"from {call}")


# One event with an id of its own, one without, and an exposure.
_THREE = (
    b'{"events":[{"eventName":"a","time":1,"eventID":"e1","user":{}},{"eventName":"b","time":1,"user":{}},'
    b'{"eventName":"statsig::config_exposure","time":1,"user":{"userID":"u1"},"metadata":{"config":"x","ruleID":"r"}}]}'
)


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose lake has a file for each of two days."""
    data_dir = tmp_path_factory.mktemp("two_days")
    for day in ("20260131", "20260201"):
        log = MemoryLog()
        log.seal([record(_THREE)], hour=f"{day}T07")
        publish_all(started(data_dir, log))
    return data_dir


def _scans(data_dir: Path, sql: str) -> list[dict[str, Any]]:
    """What each scan of Parquet files in a query's plan says of itself."""
    [(_, plan)] = _rows(data_dir, f"explain (format json) {sql}")
    waiting, found = json.loads(str(plan)), []
    while waiting:
        step = waiting.pop()
        waiting += step["children"]
        if step["name"] == "READ_PARQUET":
            found.append(step["extra_info"])
    return found


@pytest.mark.parametrize(
    ("query", "scans"),
    [
        ("select event_name from events where received_date = '2026-01-31'", 1),
        ("select event_name from events_distinct(since := '2026-02-01')", 2),
        ("select unit_id from exposures(until := '2026-01-31')", 1),
        ("from metric_by_group('x', 'a', since := '2026-02-01', until := '2026-02-02')", 3),
        ("from sample_ratio('x', since := '2026-02-01')", 1),
    ],
)
def test_days_of_receipt_decide_which_files_are_opened(query: str, scans: int, two_days: Path) -> None:
    assert [scan["Scanning Files"] for scan in _scans(two_days, query)] == ["1/2"] * scans


def test_a_condition_on_the_event_s_name_is_applied_before_copies_are_looked_for(two_days: Path) -> None:
    scans = _scans(two_days, "select * from events_distinct where event_name = 'a'")

    assert len(scans) == 2
    assert all("event_name = 'a'" in str(scan["Filters"]) for scan in scans)


def test_rows_are_found_by_partition_and_content(tmp_path: Path) -> None:
    _publish(tmp_path)

    sql = "select event_name, metadata, user_custom_ids['x'] from events where received_date = '2026-01-31'"
    assert _rows(tmp_path, f"{sql} and received_hour = 7") == [("a", '{"k" : 1}', "y")]
    assert _rows(tmp_path, f"{sql} and received_hour = 8") == []


def test_files_of_an_older_version_lack_columns_and_newer_ones_have_more(tmp_path: Path) -> None:
    _publish(tmp_path)
    folder = tmp_path / "lake/events/received_date=2026-01-30/received_hour=00"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"event_name": ["old"], "later": [1]}), folder / "x.parquet")

    assert _rows(tmp_path, "select event_name, request_id is null, later from events order by 1") == [
        ("a", False, None),
        ("old", True, 1),
    ]
    assert _rows(tmp_path, "select event_name, later from events_distinct order by 1") == [("a", None), ("old", 1)]


def test_a_data_folder_of_any_name_is_read(tmp_path: Path) -> None:
    data_dir = tmp_path / "it's [a] *? folder"
    _publish(data_dir)

    assert _rows(data_dir, "select count(*) from events") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to '{lake}/x.csv'",
        "explain analyze copy (select 1) to '{lake}/x.csv'",
        "explain (analyze) copy (select 1) to '{lake}/x.csv'",
        "select 1; copy (select 1) to '{lake}/x.csv'",
        "attach '{lake}/x.db'",
        "attach '{outside}/x.db'",
        "export database '{lake}/x'",
        "prepare p as copy (select 1) to '{lake}/x.csv'",
        "copy (pivot (select 1 as a) on a) to '{lake}/x.csv'",
        "select * from read_text('{outside}/secret')",
        "select * from read_parquet('{lake}/../../secret')",
        "select * from '{outside}/secret'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "reset lock_configuration",
        "nonsense",
        "select nonsense from events",
    ],
)
def test_nothing_is_written_and_nothing_else_is_read(statement: str, tmp_path: Path) -> None:
    data_dir, outside = tmp_path / "data", tmp_path / "outside"
    _publish(data_dir)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(duckdb.Error):
        _rows(data_dir, statement.format(lake=data_dir / "lake", outside=outside))

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "statement", ["explain select 1", "explain analyze select 1", "from events", "describe events"]
)
def test_what_only_reads_is_answered(statement: str, tmp_path: Path) -> None:
    assert isinstance(_rows(tmp_path, statement), list)
