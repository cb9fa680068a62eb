"""The lake as two DuckDB views, `events` and `rejects`, read-only: what `sluice query` asks.

An empty lake is an empty view with all columns and their types, and so is a column that older files don't have.
Errors are DuckDB's own.
"""

from __future__ import annotations

import os
import re
from tempfile import gettempdir
from typing import TYPE_CHECKING

import duckdb

from sluice import disk
from sluice.lake.ddl import Table, as_pattern, duckdb_empty, duckdb_rows, quoted
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER, REJECTS_FOLDER, SUFFIX
from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS, TABLE_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from sluice.lake.schema import Column

__all__ = ["Connection", "connect"]

_TABLES = ((EVENTS_FOLDER, EVENT_COLUMNS), (REJECTS_FOLDER, REJECT_COLUMNS))

_EXPLAINS_A_SELECT = re.compile(r"\s*explain\s+analyze\s+(select|from|with|table|values)\b", re.IGNORECASE)


class Connection:
    """A DuckDB connection that only reads the lake; a context that closes it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back what the connection holds."""
        self._connection.close()

    def sql(self, query: str) -> duckdb.DuckDBPyRelation | None:
        """Ask; None for a statement without rows.

        Raises:
            duckdb.Error: DuckDB's own, and PermissionException for a statement that doesn't only read.
        """
        self._refuse_what_writes(query)
        return self._connection.sql(query)

    def execute(self, query: str) -> duckdb.DuckDBPyConnection:
        """Ask; the answer is fetched from what is returned. Raises as `sql` does."""
        self._refuse_what_writes(query)
        return self._connection.execute(query)

    def _refuse_what_writes(self, query: str) -> None:
        for statement in self._connection.extract_statements(query):
            if not _only_reads(statement):
                raise duckdb.PermissionException(f"{statement.type.name}: the lake is only read")


def connect(data_dir: Path) -> Connection:
    """Open the lake of a data folder, with or without a running service.

    The connection reads files below `lake/` and no others, writes none, loads nothing, and its settings can't be
    changed back. Times are shown in UTC.
    """
    lake = str(data_dir.absolute() / LAKE_FOLDER)
    connection = duckdb.connect(":memory:")
    for folder, columns in _TABLES:
        connection.execute(f"CREATE VIEW {folder} AS {_view_of(data_dir.absolute() / LAKE_FOLDER / folder, columns)}")
    connection.execute("SET TimeZone = 'UTC'")
    # Large sorts spill there; DuckDB's default is a folder in the working directory.
    connection.execute(f"SET temp_directory = {quoted(f'{gettempdir()}/sluice-query-{os.getpid()}')}")
    # DuckDB holds a pattern itself against this list before the files that it finds.
    allowed = ", ".join(quoted(f"{path}/") for path in (lake, as_pattern(lake)))
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return Connection(connection)


def _only_reads(statement: duckdb.Statement) -> bool:
    """Whether a statement writes no file: `allowed_directories` allows it to write there too."""
    if statement.type == duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE does what it explains.
        return "analyze" not in statement.query.lower() or _EXPLAINS_A_SELECT.match(statement.query) is not None
    return statement.type in (duckdb.StatementType.SELECT, duckdb.StatementType.SET)


def _view_of(folder: Path, columns: Sequence[Column]) -> str:
    table = Table(name=folder.name, version=TABLE_VERSION, columns=columns, partitions=PARTITION_COLUMNS)
    return duckdb_rows(table, str(folder)) if _has_files(folder) else duckdb_empty(table.all_columns)


def _has_files(table: Path) -> bool:
    hours = (table / date / hour for date in disk.entries(table) for hour in disk.entries(table / date))
    return any(name.endswith(SUFFIX) for hour in hours for name in disk.entries(hour))
