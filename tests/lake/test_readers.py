"""DuckDB, pandas, Polars and pyarrow read the lake as docs/lake.md says, with the lines that it gives."""

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from sluice.lake.schema import EVENTS, PARTITION_COLUMNS
from tests.support.lake_log import MemoryLog, record
from tests.support.lake_service import files, publish_all, started

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs/lake.md"
_EXAMPLES = re.findall(r"^```python\n(.*?)^```", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
_BODY = (
    '{"events":[{"eventName":"bought","time":1769844500000,"value":9.5,"user":{"customIDs":{"a":"b"}},'
    '"metadata":{"text":"größer 🚀"}},{"eventName":"statsig::gate_exposure","time":0,'
    '"metadata":{"gate":"g","gateValue":"true"}}]}'
).encode()
_HOURS = ds.partitioning(pa.schema([pa.field(c.name, c.type) for c in PARTITION_COLUMNS]), flavor="hive")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a small lake below `data/`."""
    folder = tmp_path_factory.mktemp("lake")
    log = MemoryLog()
    log.seal([record(_BODY)])
    publish_all(started(folder / "data", log))
    log.seal([record(_BODY)], hour="20260131T08")
    publish_all(started(folder / "data", log))
    return folder


@pytest.fixture(scope="module")
def lake(folder: Path) -> Path:
    """The event table's folder."""
    return folder / "data/lake/events"


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.split()[1])
def test_the_lines_of_the_documents_work_as_pasted(example: str, folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr
    assert "bought" in ran.stdout


def test_there_is_an_example_for_each_reader() -> None:
    assert len(_EXAMPLES) == 4


def test_pyarrow_reads_types_and_partitions(lake: Path) -> None:
    table = ds.dataset(lake, format="parquet", partitioning=_HOURS).to_table()

    assert table.schema.names == [*EVENTS.names, "received_date", "received_hour"]
    assert table.schema.types[: len(EVENTS)] == EVENTS.types
    assert table.column("received_hour").to_pylist() == [7, 7, 8, 8]


def test_duckdb_reads_types_and_partitions(lake: Path) -> None:
    relation = duckdb.sql(f"from read_parquet('{lake}/*/*/*.parquet', union_by_name=true, hive_partitioning=true)")

    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert types["event_time"] == "TIMESTAMP WITH TIME ZONE"
    assert types["user_custom_ids"] == "MAP(VARCHAR, VARCHAR)"
    assert types["exposure_value"] == "BOOLEAN"
    assert types["received_date"] == "DATE"
    bought = relation.filter("event_name = 'bought'").limit(1)
    assert bought.project("value_number, user_custom_ids['a'], metadata").fetchall() == [
        (9.5, "b", '{"text":"größer 🚀"}')
    ]


def test_pandas_reads_types_and_partitions(lake: Path) -> None:
    frame = pd.read_parquet(lake, partitioning=_HOURS)

    assert str(frame["event_time"].dtype) == "datetime64[us, UTC]"
    assert str(frame["time_ms"].dtype) == "int64"
    row = frame[frame["event_name"] == "bought"].iloc[0]
    assert (row["value_number"], dict(row["user_custom_ids"])) == (9.5, {"a": "b"})
    assert row["received_date"] == dt.date(2026, 1, 31)


def test_polars_reads_types_and_partitions(lake: Path) -> None:
    frame = pl.scan_parquet(f"{lake}/**/*.parquet", hive_partitioning=True).collect()

    assert frame.schema["event_time"] == pl.Datetime("us", "UTC")
    assert frame.schema["received_date"] == pl.Date
    assert frame.filter(event_name="bought")["metadata"][0] == '{"text":"größer 🚀"}'


def test_every_column_chunk_has_statistics(lake: Path) -> None:
    for file in files(lake.parents[1]):
        group = pq.read_metadata(file).row_group(0)
        for number in range(group.num_columns):
            assert group.column(number).statistics is not None, group.column(number).path_in_schema
            assert group.column(number).compression == "ZSTD"


def test_the_columns_in_the_documents_are_those_of_the_schema() -> None:
    ran = subprocess.run(
        [sys.executable, _ROOT / "tools/document_lake.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
