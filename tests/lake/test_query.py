from pathlib import Path

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
