"""Every engine reads the lake with the lines of docs/lake.md: all values, all types, files of two versions together.

Spark: tests/spark/check_readers.py.
"""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import load_catalog

from sluice.lake.schema import EVENTS, PARTITION_COLUMNS, TABLE_VERSION
from tests.support.lake_service import files
from tests.support.reader_engines import Answer, Found, ask, engines_of_the_document, lines_for, types_for
from tests.support.reader_lake import ADDED, ADDED_VALUE, KEPT, PREDICATES, ROWS, Row, count_of, make

_ROOT = Path(__file__).parents[2]
_ENGINES = ("DuckDB", "pandas", "Polars", "pyarrow", "ClickHouse", "Iceberg")
_COLUMNS = (*EVENTS, ADDED, *PARTITION_COLUMNS)
_FOLDERS = {column.name for column in PARTITION_COLUMNS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the lake below `data/`."""
    folder = tmp_path_factory.mktemp("readers")
    make(folder / "data")
    return folder


@pytest.fixture(scope="module")
def answer_of(folder: Path) -> Any:
    """What an engine says, asked once."""

    @cache
    def ask_once(engine: str) -> Answer:
        predicates = [p for p in PREDICATES if p[0] in _columns_of(engine)]
        return ask(engine.lower(), folder, lines=lines_for(engine), predicates=predicates)

    return ask_once


def _columns_of(engine: str) -> list[str]:
    """All columns; Iceberg's table has none of those that only the folders' names give."""
    return [column.name for column in _COLUMNS if engine != "Iceberg" or column.name not in _FOLDERS]


def _as_read_by(engine: str, row: Row) -> Row:
    read = {name: row[name] for name in _columns_of(engine)}
    # ClickHouse has no map that is null.
    return read | {"user_custom_ids": {}} if engine == "ClickHouse" and read["user_custom_ids"] is None else read


def _type_in(engine: str, column: Any) -> str:
    name = types_for(engine)[str(column.type)]
    return f"Nullable({name})" if engine == "ClickHouse" and column.nullable and "Map" not in name else name


def _table(answer: Answer) -> Found:
    assert answer.table is not None
    return answer.table


@pytest.mark.parametrize("engine", _ENGINES)
def test_an_engine_finds_every_value_of_files_of_two_table_versions(engine: str, answer_of: Any) -> None:
    rows = _table(answer_of(engine)).rows

    assert rows == [_as_read_by(engine, row) for row in ROWS]


@pytest.mark.parametrize("engine", _ENGINES)
def test_an_engine_finds_the_documented_type_of_every_column(engine: str, answer_of: Any) -> None:
    types = _table(answer_of(engine)).types

    assert types == {column.name: _type_in(engine, column) for column in _COLUMNS if column.name in _columns_of(engine)}


@pytest.mark.parametrize("engine", _ENGINES)
def test_an_engine_finds_the_rows_that_a_condition_holds_for(engine: str, answer_of: Any) -> None:
    asked = [predicate for predicate in PREDICATES if predicate[0] in _columns_of(engine)]

    counts = answer_of(engine).counts

    assert dict(zip(asked, counts, strict=True)) == {predicate: count_of(predicate) for predicate in asked}


@pytest.mark.parametrize("engine", _ENGINES)
def test_the_lines_of_the_document_print_something(engine: str, answer_of: Any) -> None:
    assert answer_of(engine).printed.strip()


@pytest.mark.parametrize("engine", _ENGINES)
def test_a_column_that_older_files_lack_is_null_in_their_rows(engine: str, answer_of: Any) -> None:
    values = [row[ADDED.name] for row in _table(answer_of(engine)).rows]

    assert values == [None] * (len(ROWS) - 1) + [ADDED_VALUE]


def test_the_document_has_lines_for_each_engine() -> None:
    assert sorted(engines_of_the_document()) == sorted([*_ENGINES, "Spark"])


def test_the_same_lines_take_new_files_into_an_iceberg_table_and_bring_no_deleted_rows_back(tmp_path: Path) -> None:
    table = make(tmp_path / "data")
    (newest,) = table.glob("*/*/next.parquet")
    later = newest.rename(tmp_path / newest.name)
    before = _table(ask("iceberg", tmp_path, lines=lines_for("Iceberg")))

    place = tmp_path / "iceberg"
    catalog = load_catalog("lake", type="sql", uri=f"sqlite:///{place}/catalog.db", warehouse=place.as_uri())
    catalog.load_table("sluice.events").delete("event_name = 'number'")
    catalog.close()
    later.rename(newest)
    after = _table(ask("iceberg", tmp_path, lines=lines_for("Iceberg")))

    assert ADDED.name not in before.types
    assert len(before.rows) == len(ROWS) - 1
    assert after.rows == [_as_read_by("Iceberg", row) for row in ROWS if row["event_name"] != "number"]


def test_a_file_of_each_table_version_is_kept() -> None:
    versions = range(1, TABLE_VERSION + 1)

    assert sorted(path.name for path in KEPT.iterdir()) == [f"version_{version}.parquet" for version in versions]
    for version in versions:
        metadata = pq.read_metadata(KEPT / f"version_{version}.parquet").metadata
        assert metadata[b"sluice.schema_version"] == str(version).encode()


def test_columns_are_added_at_the_end_and_with_a_new_table_version() -> None:
    for version in range(1, TABLE_VERSION + 1):
        kept = list(pq.read_schema(KEPT / f"version_{version}.parquet"))
        assert list(EVENTS)[: len(kept)] == kept
        assert version < TABLE_VERSION or len(kept) == len(EVENTS)


def test_every_column_chunk_has_statistics(folder: Path) -> None:
    for file in files(folder / "data"):
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
