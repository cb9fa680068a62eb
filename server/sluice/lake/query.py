"""The lake as DuckDB views, `events`, `rejects` and those for experiments, read-only: what `sluice query` asks.

An empty lake is an empty view with all columns and their types, and so is a column that older files don't have.
Errors are DuckDB's own, but for SQL that asks nothing, or more than one thing.
"""

from __future__ import annotations

import os
import re
from tempfile import gettempdir
from typing import TYPE_CHECKING

import duckdb

from sluice import disk
from sluice.errors import SluiceError
from sluice.lake.ddl import as_pattern, duckdb_empty, duckdb_rows, quoted
from sluice.lake.partition import LAKE_FOLDER, SUFFIX
from sluice.lake.tables import TABLES
from sluice.lake.views import VIEWS, sql_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = ["Connection", "NotOneQuestion", "connect"]

_EXPLAINS_A_SELECT = re.compile(r"\s*explain\s+analyze\s+(select|from|with|table|values)\b", re.IGNORECASE)


class NotOneQuestion(SluiceError):
    """SQL of which nothing, or not all, could be answered."""


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
            NotOneQuestion: there is no statement, or one before the last would give rows.
            duckdb.Error: DuckDB's own, and PermissionException for a statement that doesn't only read.
        """
        self._check(query)
        return self._connection.sql(query)

    def execute(self, query: str) -> duckdb.DuckDBPyConnection:
        """Ask; the answer is fetched from what is returned. Raises as `sql` does."""
        self._check(query)
        return self._connection.execute(query)

    def _check(self, query: str) -> None:
        try:
            query.encode()
        except UnicodeEncodeError as exc:
            raise NotOneQuestion("the SQL is no UTF-8") from exc
        statements = self._connection.extract_statements(query)
        for statement in statements:
            if not _only_reads(statement):
                raise duckdb.PermissionException(_refusal_of(statement))
        if not statements:
            raise NotOneQuestion("the SQL holds no statement", hint='such as "select count(*) from events"')
        if any(statement.type != duckdb.StatementType.SET for statement in statements[:-1]):
            raise NotOneQuestion(
                f"the SQL holds {len(statements)} statements, and one before the last gives rows that nobody would see",
                hint="ask one at a time; only SET may stand before",
            )


def connect(data_dir: Path) -> Connection:
    """Open the lake of a data folder, with or without a running service.

    The connection reads files below `lake/` and no others, writes none, loads nothing, and its settings can't be
    changed back. Times are shown in UTC.
    """
    lake = str(data_dir.absolute() / LAKE_FOLDER)
    connection = duckdb.connect(":memory:")
    # The views read the same files more than once. A file never changes.
    connection.execute("SET parquet_metadata_cache = true")
    for table in TABLES.values():
        connection.execute(f"CREATE VIEW {table.name} AS {duckdb_empty(table.all_columns)}")
    # DuckDB opens all files of a view when another is made on it: these are made while there are none.
    for view in VIEWS:
        connection.execute(sql_of(view))
    for table in TABLES.values():
        if _has_files(path := data_dir.absolute() / LAKE_FOLDER / table.name):
            connection.execute(f"CREATE OR REPLACE VIEW {table.name} AS {duckdb_rows(table, str(path))}")
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


def _refusal_of(statement: duckdb.Statement) -> str:
    if statement.type == duckdb.StatementType.MULTI:
        # DuckDB would first create a type of the values that it finds.
        return "PIVOT on values that are not named: say which, as in PIVOT … ON column IN ('a', 'b')"
    return f"{statement.type.name}: the lake is only read"


def _has_files(table: Path) -> bool:
    hours = (table / date / hour for date in disk.entries(table) for hour in disk.entries(table / date))
    return any(name.endswith(SUFFIX) for hour in hours for name in disk.entries(hour))
