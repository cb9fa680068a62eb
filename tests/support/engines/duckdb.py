"""DuckDB, by the module's own connection, which the document's lines use."""

from __future__ import annotations

from typing import Any

import duckdb

from tests.support.engines.arrow_rows import rows_of
from tests.support.engines.sql import condition, quoted


def table(names: dict[str, Any]) -> dict[str, Any]:
    return _table(names["events"])


def count(names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    where = condition(predicate, text=quoted, time="timestamptz '{}+00'")
    return int(names["events"].filter(where).aggregate("count(*)").fetchall()[0][0])


def sql(statement: str) -> dict[str, Any] | None:
    relation = duckdb.sql(statement)
    return None if relation is None else _table(relation)


def close() -> None:
    duckdb.close()


def _table(relation: duckdb.DuckDBPyRelation) -> dict[str, Any]:
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    return {"types": types, "rows": rows_of(relation.to_arrow_table())}
