"""Polars."""

from __future__ import annotations

from typing import Any

import polars as pl

from tests.support.engines.arrow_rows import OPERATORS


def table(names: dict[str, Any]) -> dict[str, Any]:
    frame = names["events"].collect()
    return {"types": {name: str(kind) for name, kind in frame.schema.items()}, "rows": frame.rows(named=True)}


def count(names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    column, sign, value = predicate
    return int(names["events"].filter(OPERATORS[sign](pl.col(column), value)).select(pl.len()).collect().item())


def close() -> None:
    """There is nothing to close."""
