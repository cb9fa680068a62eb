"""ClickHouse, as chdb has it within the process: one session, in a folder that goes with it."""

from __future__ import annotations

from typing import Any

from chdb.session import Session

from tests.support.engines.arrow_rows import rows_of
from tests.support.engines.sql import condition, escaped

_sessions: list[Session] = []


def table(names: dict[str, Any]) -> dict[str, Any]:
    _sessions.append(names["clickhouse"])
    return _table("select * from events")


def count(_names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    where = condition(predicate, text=escaped, time="toDateTime64('{}', 6, 'UTC')")
    return int(str(_session().query(f"select count() from events where {where}")))


def sql(statement: str) -> dict[str, Any] | None:
    if statement.lstrip().lower().startswith("select"):
        return _table(statement)
    _session().query(statement)
    return None


def close() -> None:
    for session in _sessions:
        session.close()


def _session() -> Session:
    if not _sessions:
        _sessions.append(Session())
    return _sessions[0]


def _table(select: str) -> dict[str, Any]:
    described = str(_session().query(f"describe ({select})", "TabSeparatedRaw"))
    types = dict(line.split("\t")[:2] for line in described.splitlines())
    return {"types": types, "rows": rows_of(_session().query(select, "ArrowTable"))}
