"""The lake as DuckDB views, `events`, `rejects` and those for experiments, read-only: what `sluice query` asks.

An empty lake is an empty view with all columns and their types, and so is a column that older files don't have.
Errors are DuckDB's own, but for SQL that asks nothing, or more than one thing.
"""

from __future__ import annotations

import os
import re
import time
from tempfile import gettempdir
from typing import TYPE_CHECKING

import duckdb

from sluice.errors import SluiceError
from sluice.lake.broken import find_broken
from sluice.lake.ddl import as_pattern, duckdb_empty, duckdb_error, duckdb_rows, quoted
from sluice.lake.files import table_files
from sluice.lake.partition import LAKE_FOLDER
from sluice.lake.tables import TABLES
from sluice.lake.views import VIEWS, sql_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from sluice.lake.ddl import Table

__all__ = ["Connection", "FileBroken", "NotOneQuestion", "connect"]

_LOOK_FOR_BROKEN_S = 20.0

_EXPLAINS_A_SELECT = re.compile(r"\s*explain\s+analyze\s+(select|from|with|table|values)\b", re.IGNORECASE)


class NotOneQuestion(SluiceError):
    """SQL of which nothing, or not all, could be answered."""


class FileBroken(SluiceError):
    """A file of the lake can't be read, so what was asked can't be answered."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="put back a whole one of the same name from a backup, or move it out of the lake's folder: "
            "then its rows are missing",
        )


class Connection:
    """A DuckDB connection that only reads the lake; a context that closes it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Mapping[Path, str | None]) -> None:
        self._connection = connection
        self._tables = tables

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

    def broken_file(self, error: duckdb.Error) -> FileBroken | None:
        """Which file of the lake an error comes from, if it comes from one; it may take 20 s to find out."""
        broken = next((told for told in self._tables.values() if told and told in str(error)), None)
        if broken is None and _may_be_of_a_file(error):
            until_s = time.monotonic() + _LOOK_FOR_BROKEN_S
            each = (find_broken(table, whole=True, within_s=until_s - time.monotonic()) for table in self._tables)
            broken = next((found for found in each if found), None)
        return FileBroken(broken) if broken else None

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
    broken: dict[Path, str | None] = {}
    for table in TABLES.values():
        path = data_dir.absolute() / LAKE_FOLDER / table.name
        if next(table_files(path), None) is not None:
            broken[path] = _let_view_show_files(connection, table, path)
    connection.execute("SET TimeZone = 'UTC'")
    # Large sorts spill there; DuckDB's default is a folder in the working directory.
    connection.execute(f"SET temp_directory = {quoted(f'{gettempdir()}/sluice-query-{os.getpid()}')}")
    # DuckDB holds a pattern itself against this list before the files that it finds.
    allowed = ", ".join(quoted(f"{path}/") for path in (lake, as_pattern(lake)))
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return Connection(connection, broken)


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


def _may_be_of_a_file(error: duckdb.Error) -> bool:
    """Errors that DuckDB raises of files, which it seldom names, and hardly of SQL."""
    if isinstance(error, duckdb.InvalidInputException):
        return "parquet" in str(error).lower()
    of_data = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)
    return type(error) is duckdb.Error or isinstance(error, of_data)


def _let_view_show_files(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> str | None:
    """Show the rows of a table's files; where one can't be read, only questions that need the table fail.

    Leaving that file's rows out would answer them wrongly.

    Returns:
        Which file, and why; None: all could be opened.
    """
    try:
        connection.execute(f"CREATE OR REPLACE VIEW {table.name} AS {duckdb_rows(table, str(path))}")
    except duckdb.Error as exc:
        broken = find_broken(path, whole=False, within_s=_LOOK_FOR_BROKEN_S) or str(exc)
        connection.execute(f"CREATE OR REPLACE VIEW {table.name} AS {duckdb_error(table.all_columns, broken)}")
        return broken
    return None
