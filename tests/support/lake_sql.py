"""Requests as a client sends them, and what the SQL of the lake's views says of them: in DuckDB alone, without files.

The rows are those of the real decoder; the SQL is what docs/lake.md prints.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake.decode import decode
from sluice.lake.schema import EVENTS
from sluice.lake.views import VIEWS, sql_of
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_log import NOW, record, uuid7

NOW_MS = int(NOW * 1000)
START_MS = NOW_MS - 3_600_000
_EXPOSURE_OF = {"gate": "gate_exposure", "config": "config_exposure", "layer": "layer_exposure"}


def sent(
    *events: dict[str, Any], number: int = 0, received_ms: int = NOW_MS, client_ms: int | None = None, **fields: Any
) -> LogRecord:
    """A request, in its record; its clock is right unless `client_ms` says something else.

    Args:
        events: as JSON has them.
        number: tells the request's id.
        received_ms: when it came.
        client_ms: the client's clock.
        fields: of the record, such as `project`; `about` is the request's statsigMetadata.
    """
    about = fields.pop("about", None)
    body = json.dumps({"events": events} | ({"statsigMetadata": about} if about else {})).encode()
    clock_ms = received_ms if client_ms is None else client_ms
    return record(
        body,
        request_id=uuid7(NOW, number).bytes,
        received_at_us=received_ms * 1000,
        client_time_ms=clock_ms,
        **fields,
    )


def event(name: str, *, user: Any = None, at_s: float = 0, **more: Any) -> dict[str, Any]:
    """An event so many seconds after `START_MS`; `user` is a user's id, or all that is said of one."""
    who = user if isinstance(user, dict) else {} if user is None else {"userID": user}
    return {"eventName": name, "time": START_MS + round(at_s * 1000), "user": who, **more}


def exposure(
    kind: str, name: str, rule: str | None, *, user: Any = None, at_s: float = 0, **facts: Any
) -> dict[str, Any]:
    """An exposure to a gate, config or layer; `facts` are further members of its metadata."""
    named = {"gate" if kind == "gate" else "config": name, **facts}
    if rule is not None:
        named["ruleID"] = rule
    return event(f"statsig::{_EXPOSURE_OF[kind]}", user=user, at_s=at_s, metadata=named)


def answer(records: Sequence[LogRecord], sql: str) -> list[dict[str, Any]]:
    """The rows of a query over the events of these requests."""
    batches = [batch for each in records for batch in decode([each]).batches]
    table = pa.Table.from_batches(batches, EVENTS)
    table = table.append_column("received_date", pc.cast(table.column("received_at"), pa.date32()))
    connection = _connection()
    connection.register("received", table)
    result = connection.execute(sql)
    names = [name for name, *_ in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def close() -> None:
    """Give back what questions have held; the next one takes it anew."""
    _connection().close()
    _connection.cache_clear()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One for all questions: the views take 25 ms to make."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    connection.register("received", EVENTS.append(pa.field("received_date", pa.date32())).empty_table())
    connection.execute("CREATE VIEW events AS FROM received")
    for view in VIEWS:
        connection.execute(sql_of(view))
    return connection
