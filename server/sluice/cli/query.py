"""`sluice query SQL`: DuckDB over the lake, read-only.

Values are written as DuckDB itself writes them: text or JSON is made of them inside it. Python's types
would lose some (a time beyond the year 9999).
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from enum import Enum
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.options import Config, DataDir, existing_data_dir
from sluice.cli.output import print_json_array, print_line, print_table
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from sluice.lake.query import Connection

__all__ = ["query"]

_ROWS_AT_ONCE = 10_000
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*")
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
# What DuckDB puts before the statement whose values it turns into text, in lines.
_LINES_BEFORE = 2
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^$|^\s|\s$')


class Format(Enum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class QueryFailed(SluiceError):
    """DuckDB refused the query, or could not carry it out."""


def query(
    *,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement in DuckDB's SQL; SET may stand before it.")],
    output: Annotated[
        Format,
        typer.Option(
            "--format", help="table for people; json, an array of objects; csv, where null is an empty field."
        ),
    ] = Format.TABLE,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Ask the lake in SQL.

    DuckDB, read-only, with or without a running service. Rows are there within seal-age and lake-age of their
    acknowledgement, or at once after sluice flush. A query that fails ends with 1, whatever it has printed by then.

    Views: events, rejects; events_distinct (without the copies that resends make), exposures (the first of each unit
    to each experiment). For experiments: metric_by_group('experiment', 'event'), metric_difference('experiment',
    'event', 'control group'), sample_ratio('experiment'). docs/lake.md says what they mean and all they take.

    sluice query "select event_name, count(*) from events group by all order by 2 desc"
    """
    import duckdb  # noqa: PLC0415  0.1 s that other commands needn't take

    from sluice.lake.query import connect  # noqa: PLC0415  as above

    folder = existing_data_dir(data_dir, config)
    lines_before = 0
    try:
        with connect(folder) as connection, _naming_broken_files(connection):
            relation = connection.sql(sql)
            lines_before = _LINES_BEFORE
            # A statement such as SET has no rows.
            if relation is not None:
                _PRINTERS[output](relation)
    except duckdb.Error as exc:
        raise _failure(str(exc), lines_before) from exc


@contextmanager
def _naming_broken_files(connection: Connection) -> Iterator[None]:
    import duckdb  # noqa: PLC0415  as above

    try:
        yield
    except duckdb.Error as exc:
        if broken := connection.broken_file(exc):
            raise broken from exc
        raise


def _failure(message: str, lines_before: int) -> QueryFailed:
    from sluice.lake.views import CALLS  # noqa: PLC0415  it is there once a query has failed

    said = _LINE.sub(lambda line: f"LINE {int(line[1]) - lines_before}:", message.strip()).expandtabs(4)
    misused = [call for name, call in CALLS.items() if f"Table with name {name} does not exist" in said]
    return QueryFailed(said, hint=f"it takes arguments: from {misused[0]}" if misused else "")


def _print_table(relation: duckdb.DuckDBPyRelation) -> None:
    rows = [["NULL" if cell is None else cell for cell in row] for row in _texts(relation)]
    numbers = {position for position, kind in enumerate(relation.types) if _NUMBERS.fullmatch(str(kind))}
    print_table(relation.columns, rows, right=numbers)


def _print_csv(relation: duckdb.DuckDBPyRelation) -> None:
    rows = _texts(relation)
    # A query that fails at its first rows prints none, and no names either.
    first = list(islice(rows, 1))
    for row in chain([relation.columns], first, rows):
        print_line(",".join(_csv_field(cell) for cell in row))


def _print_json(relation: duckdb.DuckDBPyRelation) -> None:
    if len(set(relation.columns)) < len(relation.columns):
        raise QueryFailed("two columns have the same name, which an object can't hold", hint="name one: ... as other")
    names = [json.dumps(column, ensure_ascii=False) for column in relation.columns]
    print_json_array(
        "{" + ", ".join(f"{name}: {_json_value(cell)}" for name, cell in zip(names, row, strict=True)) + "}"
        for row in relation.project("to_json(COLUMNS(*))").iter_rows(_ROWS_AT_ONCE)
    )


_PRINTERS = {Format.TABLE: _print_table, Format.JSON: _print_json, Format.CSV: _print_csv}


def _texts(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[str | None, ...]]:
    return relation.project("CAST(COLUMNS(*) AS VARCHAR)").iter_rows(_ROWS_AT_ONCE)


def _csv_field(text: str | None) -> str:
    # RFC 4180. An empty text is quoted, so that it is not a null.
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _json_value(text: str | None) -> str:
    if text is None:
        return "null"
    # JSON has no such numbers; they become texts.
    if "NaN" in text or "Infinity" in text:
        return json.dumps(json.loads(text, parse_constant=str), ensure_ascii=False)
    return text
