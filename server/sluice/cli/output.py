"""What a command found, as a table for people or as JSON for programs. Data goes to standard output, words to errors.

A table is as wide as its content where standard output is no terminal: nothing is cut off that a pipe may want. Control
characters in a cell are shown as escapes; a terminal must not obey what an event's sender wrote.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = ["iso_time", "print_json", "print_json_array", "print_line", "print_table", "say", "say_error"]

# C0, DEL and C1, and the characters that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNLIMITED_COLUMNS = 100_000


def say(words: str) -> None:
    """Tell the person at the terminal something that is no data."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201  this is where commands print


def say_error(message: str, hint: str = "") -> None:
    """Tell what went wrong, and how to mend it."""
    say("error: " + "\n".join(_shown(line) for line in message.split("\n")))
    if hint:
        say(f"  hint: {_shown(hint)}")


def print_line(text: str) -> None:
    """Print one line of data."""
    print(text)  # noqa: T201  this is where commands print


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print_line(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_array(texts: Iterable[str]) -> None:
    """Print JSON values as one array, a value to a line, as they come."""
    before = "["
    for text in texts:
        print_line(before + text)
        before = ","
    print_line("[]" if before == "[" else "]")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = ()) -> None:
    """Print rows below their columns' names.

    Args:
        columns: the names.
        rows: as many cells each; None is an empty one.
        right: positions of columns that are set to the right.
    """
    from rich.console import Console  # noqa: PLC0415  commands that print no table start without it
    from rich.table import Table  # noqa: PLC0415  as above
    from rich.text import Text  # noqa: PLC0415  as above

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if position in right else "left"
        table.add_column(Text(_shown(column)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown("" if cell is None else str(cell))) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNLIMITED_COLUMNS)
    with console.capture() as captured:
        console.print(table)
    # rich fills each line up to the table's width.
    for line in captured.get().splitlines():
        print_line(line.rstrip())


def iso_time(seconds: float | None) -> str | None:
    """A time in seconds since the epoch as ISO 8601, in UTC, to the second; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _shown(text: str) -> str:
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
