"""pyarrow's datasets."""

from __future__ import annotations

from typing import Any

import pyarrow.dataset as ds

from tests.support.engines.arrow_rows import OPERATORS, rows_of, type_name


def table(names: dict[str, Any]) -> dict[str, Any]:
    found = names["events"].to_table()
    return {"types": {field.name: type_name(field.type) for field in found.schema}, "rows": rows_of(found)}


def count(names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    column, sign, value = predicate
    return int(names["events"].count_rows(filter=OPERATORS[sign](ds.field(column), value)))


def close() -> None:
    """There is nothing to close."""
