"""What the traps in docs/lake.md say of each engine is so: a line there that is no longer true fails here."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from tests.support.reader_engines import Answer, ask
from tests.support.reader_lake import ADDED, ROWS, make

_HOURS = pa.schema([("received_date", pa.date32()), ("received_hour", pa.int64())])
_BEYOND_DOUBLES = '{"item":"a","n":1e400}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traps")
    make(folder / "data")
    return folder


@pytest.fixture(scope="module")
def lake(folder: Path) -> Path:
    """The event table's folder."""
    return folder / "data/lake/events"


def _files(lake: Path) -> list[str]:
    return sorted(map(str, lake.glob("*/*/*.parquet")))


def test_the_hour_is_text_to_duckdb_unless_its_type_is_said(lake: Path) -> None:
    duckdb.sql(f"create or replace temp view t as from read_parquet('{lake}/*/*/*.parquet', union_by_name=true)")

    assert duckdb.sql("select distinct typeof(received_hour) from t").fetchall() == [("VARCHAR",)]
    assert duckdb.sql("select count(*) from t where received_hour = '7'").fetchall() == [(0,)]
    with pytest.raises(duckdb.BinderException, match="Cannot compare"):
        duckdb.sql("from t where received_hour < 10")


def test_duckdb_has_the_columns_of_the_first_file_unless_they_are_united_by_name(lake: Path) -> None:
    assert ADDED.name not in duckdb.sql(f"from read_parquet('{lake}/*/*/*.parquet')").columns


def test_duckdb_shows_times_in_the_zone_of_the_session(lake: Path) -> None:
    (file,) = lake.glob("*/*/next.parquet")
    with duckdb.connect() as connection:
        shown = {}
        for zone in ("America/New_York", "UTC"):
            connection.execute(f"SET TimeZone = '{zone}'")
            rows = connection.sql(f"select received_at::varchar from read_parquet('{file}')").fetchall()
            shown[zone] = rows[0][0]

    assert shown == {"America/New_York": "2026-01-31 04:00:00-05", "UTC": "2026-01-31 09:00:00+00"}


def test_duckdb_needs_pytz_to_fetch_a_time(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytz", None)
    times = duckdb.sql(f"select received_at from read_parquet('{lake}/*/*/*.parquet')")

    with pytest.raises(duckdb.InvalidInputException, match="pytz"):
        times.fetchall()
    assert times.to_arrow_table().num_rows == len(ROWS)


def test_duckdb_takes_json_with_any_number_apart() -> None:
    assert duckdb.sql(f"select '{_BEYOND_DOUBLES}'::varchar ->> 'item'").fetchall() == [("a",)]


def test_pandas_makes_floats_of_integers_with_nulls_unless_the_backend_is_said(lake: Path) -> None:
    times = pd.read_parquet(lake)["time_ms"]

    assert str(times.dtype) == "float64"
    assert 2**53 + 1 not in [int(time) for time in times.dropna()]


def test_the_date_is_a_category_of_texts_to_pandas_unless_partitions_are_said(lake: Path) -> None:
    days = pd.read_parquet(lake)["received_date"]

    assert str(days.dtype) == "category"
    assert list(days.cat.categories) == ["2026-01-30", "2026-01-31"]


def test_pandas_drops_what_later_files_add_unless_a_schema_is_said(lake: Path) -> None:
    assert ADDED.name not in pd.read_parquet(lake).columns


def test_pandas_takes_columns_and_filters_as_documented(lake: Path) -> None:
    frame = pd.read_parquet(
        lake,
        partitioning=ds.partitioning(_HOURS, flavor="hive"),
        columns=["event_name", "event_time"],
        filters=[("received_date", ">=", date(2026, 1, 31))],
    )

    assert (list(frame.columns), len(frame)) == (["event_name", "event_time"], 12)


def test_polars_refuses_or_drops_what_later_files_add_unless_a_schema_is_said(lake: Path) -> None:
    with pytest.raises(pl.exceptions.SchemaError, match=ADDED.name):
        pl.scan_parquet(f"{lake}/*/*/*.parquet").collect()
    ignoring = pl.scan_parquet(f"{lake}/*/*/*.parquet", extra_columns="ignore")
    assert ADDED.name not in ignoring.collect().columns


def test_a_pattern_gives_polars_no_partitions_unless_they_are_asked_for(lake: Path) -> None:
    assert "received_date" not in pl.scan_parquet(f"{lake}/*/*/*.parquet").collect_schema()


def test_json_that_holds_a_number_beyond_all_doubles_is_null_to_polars() -> None:
    frame = pl.DataFrame({"metadata": [_BEYOND_DOUBLES, '{"item":"b"}']})

    assert frame["metadata"].str.json_path_match("$.item").to_list() == [None, "b"]


def test_polars_reads_an_entry_of_a_map_as_documented(lake: Path) -> None:
    (file,) = lake.glob("*/*/version_1.parquet")

    ids = pl.scan_parquet(file).select(pl.col("user_custom_ids").map.get("companyID")).collect()

    assert ids["user_custom_ids"].to_list() == ["c-9", None, None, None]


def test_pyarrow_drops_what_later_files_add_unless_a_schema_is_said(lake: Path) -> None:
    assert ADDED.name not in ds.dataset(lake).schema.names


def test_the_date_is_text_to_pyarrow_or_missing_unless_partitions_are_said(lake: Path) -> None:
    assert ds.dataset(lake, partitioning="hive").schema.field("received_date").type == pa.string()
    assert "received_date" not in ds.dataset(lake).schema.names


@pytest.fixture(scope="module")
def clickhouse(folder: Path) -> Answer:
    events = "file('data/lake/events/*/*/*.parquet', Parquet)"
    return ask(
        "clickhouse",
        folder,
        statements=[
            f"select {ADDED.name} from {events}",
            f"select count() as n from {events} where empty(user_custom_ids)",
            f"select JSONExtractString(t, 'item') as item, isValidJSON(t) as valid from (select '{_BEYOND_DOUBLES}' t)",
            f"select user_custom_ids['companyID'] as id from {events} where event_name = 'empty'",
        ],
    )


def test_clickhouse_knows_nothing_of_what_later_files_add_unless_schemas_are_united(clickhouse: Answer) -> None:
    assert "UNKNOWN_IDENTIFIER" in str(clickhouse.results[0])


def test_a_map_that_is_null_is_empty_to_clickhouse(clickhouse: Answer) -> None:
    assert _rows(clickhouse, 1) == [{"n": sum(row["user_custom_ids"] is None for row in ROWS)}]


def test_json_that_holds_a_number_beyond_all_doubles_is_none_to_clickhouse(clickhouse: Answer) -> None:
    assert _rows(clickhouse, 2) == [{"item": "", "valid": 0}]


def test_clickhouse_gives_null_for_a_key_that_a_map_lacks(clickhouse: Answer) -> None:
    assert _rows(clickhouse, 3) == [{"id": None}]


def _rows(clickhouse: Answer, number: int) -> list[dict[str, object]]:
    result = clickhouse.results[number]
    assert result is not None
    assert not isinstance(result, str), result
    return result.rows


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    place = tmp_path / "iceberg"
    place.mkdir()
    catalog = load_catalog("lake", type="sql", uri=f"sqlite:///{place}/catalog.db", warehouse=place.as_uri())
    catalog.create_namespace("sluice")
    yield catalog
    catalog.close()


def _table(catalog: Catalog, schema: pa.Schema, partitions: Sequence[str] = ()) -> Table:
    table = catalog.create_table("sluice.events", schema=schema)
    with table.update_spec() as update:
        for name in partitions:
            update.add_field(name, IdentityTransform(), name)
    return table


def test_partitions_by_the_folders_columns_are_null_to_pyiceberg_and_found_by_no_condition(
    catalog: Catalog, lake: Path
) -> None:
    newest = pq.read_schema(_files(lake)[-1])
    table = _table(catalog, pa.unify_schemas([newest, _HOURS]), partitions=_HOURS.names)

    table.add_files(_files(lake))

    assert table.scan().to_arrow().column("received_date").null_count == len(ROWS)
    assert table.scan(row_filter="received_date = '2026-01-31'").to_arrow().num_rows == 0


def test_pyiceberg_refuses_a_file_with_a_column_that_the_table_lacks(catalog: Catalog, lake: Path) -> None:
    table = _table(catalog, pq.read_schema(_files(lake)[0]))

    with pytest.raises(ValueError, match=ADDED.name):
        table.add_files(_files(lake))
    assert table.scan().to_arrow().num_rows == 0


def test_pyiceberg_refuses_a_file_that_the_table_has_with_all_others(catalog: Catalog, lake: Path) -> None:
    first, second, *_ = _files(lake)
    table = _table(catalog, pq.read_schema(first))
    table.add_files([first])
    before = table.scan().to_arrow().num_rows

    with pytest.raises(ValueError, match="already referenced"):
        table.add_files([first, second])
    assert table.scan().to_arrow().num_rows == before
