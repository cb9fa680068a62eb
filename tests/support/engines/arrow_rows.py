"""Rows of Arrow tables as plain values; a map is a dict."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# How expressions of pyarrow, and columns of Polars, say what a predicate says.
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">=": operator.ge,
    "is": lambda column, _: column.is_null(),
}


def rows_of(table: Any) -> list[dict[str, Any]]:
    """The rows of a table."""
    maps = [field.name for field in table.schema if str(field.type).startswith("map")]
    return [row | {name: dict(row[name]) for name in maps if row[name] is not None} for row in table.to_pylist()]


def type_name(kind: object) -> str:
    """A type's name, without those of the columns that a map's type may hold."""
    return re.sub(r" \('\w+'\)", "", str(kind))
