"""Spark: one session, with the settings that the variable SPARK has, `name=value` to a line."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tests.support.engines.sql import condition, escaped

_builder = SparkSession.builder
for _setting in os.environ["SPARK"].splitlines():
    _builder = _builder.config(*_setting.split("=", 1))
_session = _builder.getOrCreate()


def table(names: dict[str, Any]) -> dict[str, Any]:
    return _table(names["events"])


def count(names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    return int(names["events"].where(condition(predicate, text=escaped, time="timestamp '{}Z'")).count())


def sql(statement: str) -> dict[str, Any]:
    return _table(_session.sql(statement))


def close() -> None:
    _session.stop()


def _table(frame: DataFrame) -> dict[str, Any]:
    types = {field.name: field.dataType.simpleString() for field in frame.schema}
    rows = [{name: _plain(value) for name, value in row.asDict().items()} for row in frame.collect()]
    return {"types": types, "rows": rows}


def _plain(value: Any) -> Any:
    # Spark gives naive times, in the zone of the process.
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
