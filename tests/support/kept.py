"""Rows of the lake compared with what an oracle says of the body that they were made of."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.support.oracle import exact_value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["assert_kept"]


def assert_kept(rows: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]]) -> None:
    """Each row gives back all that its event had."""
    assert len(rows) == len(expected)
    for index, (row, said) in enumerate(zip(rows, expected, strict=True)):
        assert row["event_index"] == index
        for column, value in said.items():
            assert _kept(row, column, value), f"{column} of event {index}"


def _kept(row: dict[str, Any], column: str, value: Any) -> bool:
    match column:
        case "value":
            return _is_kept_value(row["value_number"], row["value_string"], value)
        case "user_custom_ids":
            return (row[column] or None) == value
        case "extra":
            return _extra_of(row[column], value) == value
        case _:
            return bool(row[column] == value)


def _is_kept_value(number: float | None, text: str | None, value: Decimal | str | None) -> bool:
    if isinstance(value, Decimal):
        # A number that a double holds is that double, any other its own text.
        return Decimal(text) == value if text is not None else number is not None and Decimal(repr(number)) == value
    return text == value


def _extra_of(text: str | None, wanted: dict[str, Any]) -> dict[str, Any]:
    found = exact_value(text) if text is not None else {}
    return {
        level: {key: one for key, one in members.items() if key in wanted.get(level, {})}
        for level, members in found.items()
        if level in wanted
    }
