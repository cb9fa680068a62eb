"""Rows of the lake as Arrow, and those among them that a test waits for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sluice.errors import SluiceError
from sluice.lake.query import connect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sluice.cli.admin_client import Counts

__all__ = ["EventsMissing", "all_rows", "what_arrived", "where"]

_NAMES_SHOWN = 20


class EventsMissing(SluiceError, TimeoutError):
    """What was waited for did not arrive in time; the message tells what did."""


def all_rows(data_dir: Path, *, since_us: int) -> pa.Table:
    """The events of the lake, in the order of their arrival.

    Args:
        data_dir: the data folder.
        since_us: those that were received then or later; microseconds since the epoch.
    """
    with connect(data_dir) as connection:
        rows = connection.sql(
            f"SELECT * FROM events WHERE epoch_us(received_at) >= {since_us:d} "  # noqa: S608  a number
            "ORDER BY received_at, request_id, event_index"
        )
        assert rows is not None, "a SELECT has rows"
        return rows.to_arrow_table()


def where(table: pa.Table, equal: Mapping[str, object]) -> pa.Table:
    """The rows in which each of these columns has that value; None means null.

    Raises:
        ValueError: there is no such column, or it can have no such value.
    """
    unknown = [name for name in equal if name not in table.column_names]
    if unknown:
        raise ValueError(f"there is no column {', '.join(unknown)}; there are {', '.join(table.column_names)}")
    for name, value in equal.items():
        table = table.filter(_is_equal(table[name], name, value))
    return table


def _is_equal(column: pa.ChunkedArray, name: str, value: object) -> pa.ChunkedArray:
    if value is None:
        return pc.is_null(column)
    try:
        return pc.equal(column, pa.scalar(value, type=column.type))
    except (pa.ArrowException, TypeError) as exc:
        raise ValueError(f"{name} is a column of type {column.type}, which {value!r} can't be compared with") from exc


def what_arrived(table: pa.Table, counts: Counts | None) -> str:
    """In words, for whoever waited for something else."""
    names = Counter(table["event_name"].to_pylist())
    listed = ", ".join(f"{name!r} {count}" for name, count in names.most_common(_NAMES_SHOWN))
    more = f", and {len(names) - _NAMES_SHOWN} more names" if len(names) > _NAMES_SHOWN else ""
    arrived = f"arrived: {listed}{more}" if names else "no event arrived"
    if counts is None:
        return arrived
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.refused.items()) if count)
    return f"{arrived}; requests refused: {refused or 'none'}"
