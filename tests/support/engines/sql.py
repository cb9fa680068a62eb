"""Predicates in SQL, whose dialects differ in how they write texts and times."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def condition(predicate: tuple[str, str, Any], *, text: Callable[[str], str], time: str) -> str:
    """The predicate as a condition; `time` has a place for a time in UTC."""
    column, sign, value = predicate
    match value:
        case None:
            shown = "null"
        case str():
            shown = text(value)
        case dt.datetime():
            shown = time.format(f"{value:%Y-%m-%d %H:%M:%S.%f}")
        case dt.date():
            shown = f"date '{value}'"
        case _:
            shown = str(value)
    return f"{column} {sign} {shown}"


def quoted(text: str) -> str:
    """As standard SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    """As Spark and ClickHouse have it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
