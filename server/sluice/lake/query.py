"""The lake as two DuckDB views, `events` and `rejects`, read-only: what `sluice query` asks.

An empty lake is an empty view with all columns and their types, and so is a column that older files don't have.
Errors are DuckDB's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER, REJECTS_FOLDER, SUFFIX
from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sluice.lake.schema import Column

__all__ = ["connect"]

_TABLES = ((EVENTS_FOLDER, EVENT_COLUMNS), (REJECTS_FOLDER, REJECT_COLUMNS))

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.map_(pa.string(), pa.string()): "MAP(VARCHAR, VARCHAR)",
}


def connect(data_dir: Path) -> duckdb.DuckDBPyConnection:
    """Open the lake of a data folder, with or without a running service.

    The connection reads files below `lake/` and no others, writes none, loads nothing, and its settings can't be
    changed back. Times are shown in UTC.
    """
    lake = data_dir.absolute() / LAKE_FOLDER
    connection = duckdb.connect(":memory:")
    for folder, columns in _TABLES:
        connection.execute(f"CREATE VIEW {folder} AS {_view_of(lake / folder, columns)}")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET allowed_directories = [{_quoted(f'{lake}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _view_of(table: Path, columns: Sequence[Column]) -> str:
    typed = ", ".join(f"NULL::{_SQL_TYPES[c.type]} AS {c.name}" for c in (*columns, *PARTITION_COLUMNS))
    empty = f"SELECT {typed} WHERE false"
    if not any(table.glob(f"*/*/*{SUFFIX}")):
        return empty
    partitions = ", ".join(f"'{c.name}': {_SQL_TYPES[c.type]}" for c in PARTITION_COLUMNS)
    files = (
        f"read_parquet({_quoted(f'{table}/*/*/*{SUFFIX}')}, union_by_name = true, hive_partitioning = true, "
        f"hive_types = {{{partitions}}})"
    )
    return f"{empty} UNION ALL BY NAME SELECT * FROM {files}"  # noqa: S608  made of our own schema and a quoted path


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
