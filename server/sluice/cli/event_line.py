"""A row of the lake as one line for people: when it came, its name, whose it is, its value, its metadata."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sluice.cli.output import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["event_line"]

_NAME_WIDTH = 24
_NEEDS_QUOTES = re.compile(r'[\s"=]|^$')


def event_line(row: Mapping[str, Any]) -> str:
    """The line of a row of `EVENTS`, without control characters: what the row has not is left out."""
    at = row["received_at"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    name = shown(row["event_name"])
    return " ".join([at, f"{name:<{_NAME_WIDTH}}", *(f"{key}={shown(text)}" for key, text in _facts(row))]).rstrip()


def _facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, column in (("user", "user_id"), ("email", "user_email"), ("ip", "user_ip"), ("custom", "user_custom")):
        if row.get(column) is not None:
            yield key, _word(row[column])
    if row["user_id"] is None and row["stable_id"] is not None:
        yield "stable", _word(row["stable_id"])
    if row["value_string"] is not None:
        yield "value", _word(row["value_string"])
    elif row["value_number"] is not None:
        yield "value", json.dumps(row["value_number"])
    if row["metadata"] is not None:
        yield "metadata", row["metadata"]


def _word(text: str) -> str:
    """A text that ends where it seems to: quoted, if it holds what would make that doubtful."""
    return json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text
