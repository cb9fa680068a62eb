"""What a command found, as a table for people or as JSON for programs. Data goes to standard output, words to errors.

A table is as wide as its content where standard output is no terminal: nothing is cut off that a pipe may want. Control
characters in a cell are shown as escapes; a terminal must not obey what an event's sender wrote.
"""

from __future__ import annotations

import json
import os
import re
import select
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = [
    "cut",
    "iso_micros",
    "iso_time",
    "json_line",
    "print_json",
    "print_json_array",
    "print_line",
    "print_table",
    "say",
    "say_error",
    "shown",
    "wait_while_read",
]

# C0, DEL and C1, the characters that end a line, and those that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNLIMITED_COLUMNS = 100_000


def say(words: str) -> None:
    """Tell the person at the terminal something that is no data."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201  this is where commands print


def say_error(message: str, hint: str = "") -> None:
    """Tell what went wrong, and how to mend it."""
    say("error: " + "\n".join(shown(line) for line in message.split("\n")))
    if hint:
        say(f"  hint: {shown(hint)}")


def print_line(text: str) -> None:
    """Print one line of data."""
    print(text)  # noqa: T201  this is where commands print


def print_json(value: object) -> None:
    """Print a value as JSON. Times are ISO 8601 in UTC, to the microsecond."""
    print_line(json.dumps(value, indent=2, ensure_ascii=False, default=_json_time))


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
        table.add_column(Text(shown(column)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown("" if cell is None else str(cell))) for cell in row))
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


def shown(text: str) -> str:
    """A text with its control characters as escapes."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def json_line(value: Mapping[str, object]) -> str:
    """An object as one line of JSON without a control character. Times are ISO 8601 in UTC, to the microsecond."""
    text = json.dumps(value, ensure_ascii=False, default=_json_time)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def cut(line: str) -> str:
    """As much of a line as fits on the terminal that standard output is; all of it where that is none."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  as in print_table

    if not sys.stdout.isatty():
        return line
    columns = os.get_terminal_size(sys.stdout.fileno()).columns
    # One that was never told its size says 0.
    if not columns or cell_len(line) <= columns:
        return line
    return set_cell_size(line, columns - 1).rstrip() + "…"


def wait_while_read(seconds: float) -> None:
    """Let time pass while somebody reads standard output.

    Raises:
        BrokenPipeError: nobody does any more.
    """
    watched = select.poll()
    watched.register(sys.stdout.fileno(), 0)
    if watched.poll(seconds * 1000):
        raise BrokenPipeError


def iso_micros(at: datetime) -> str:
    """A time as ISO 8601, in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _json_time(value: object) -> str:
    if isinstance(value, datetime):
        return iso_micros(value)
    raise TypeError(f"{type(value).__name__} is no value of a row")
