"""An Iceberg table, read by pyiceberg."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyiceberg import expressions

from tests.support.engines.arrow_rows import rows_of

_EXPRESSIONS = {
    "=": expressions.EqualTo,
    "<": expressions.LessThan,
    ">=": expressions.GreaterThanOrEqual,
    "is": lambda column, _: expressions.IsNull(column),
}


def table(names: dict[str, Any]) -> dict[str, Any]:
    found = names["events"]
    types = {field.name: str(field.field_type) for field in found.schema().fields}
    return {"types": types, "rows": rows_of(found.scan().to_arrow())}


def count(names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    column, sign, value = predicate
    literal = value.isoformat() if isinstance(value, dt.date) else value
    return int(names["events"].scan(row_filter=_EXPRESSIONS[sign](column, literal)).to_arrow().num_rows)


def close() -> None:
    """There is nothing to close."""
