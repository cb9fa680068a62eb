"""`sluice lake schema`: the tables of the lake, for people, for programs, and as DDL for the engines that read them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.options import AsJson, Config, DataDir, WrongUsage, data_dir_of, group
from sluice.cli.output import print_json, print_line, print_table
from sluice.lake.ddl import Engine, NoSuchPlace, ddl

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.lake.ddl import Table

__all__ = ["commands"]

commands = group("Look at the lake's tables.")


class TableName(Enum):
    """A table of the lake."""

    EVENTS = "events"
    REJECTS = "rejects"


@commands.command("schema")
def schema(
    *,
    engine: Annotated[Engine | None, typer.Option("--for", help="Print DDL for this engine.")] = None,
    table: Annotated[TableName, typer.Option("--table", help="Which table.")] = TableName.EVENTS,
    location: Annotated[
        str | None,
        typer.Option(
            "--location",
            help="With --for: where the engine finds the table's folder. [default: the data folder's lake]",
            metavar="PLACE",
        ),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print the columns of a table of the lake, or the DDL that makes an engine know it.

    duckdb: a view. clickhouse, spark, athena: a table over the files. iceberg: Spark's SQL for a table that takes the
    files in. athena needs a --location in an object store.

    sluice lake schema --for duckdb
    """
    if engine is None:
        if location is not None:
            raise WrongUsage("--location: only DDL has a place", hint="name an engine: --for duckdb")
        _print_columns(_table(table), as_json=as_json)
        return
    if as_json:
        raise WrongUsage("--json: DDL is SQL", hint="leave out --for, or --json")
    if location is not None and not location.strip("/ "):
        raise WrongUsage(f'--location: "{location}" is no folder of a table', hint="name the one that holds its files")
    place = _location(table, data_dir, config) if location is None else location
    try:
        print_line(ddl(engine, _table(table), place).rstrip("\n"))
    except NoSuchPlace as exc:
        raise WrongUsage(exc.message, hint=exc.hint) from exc


def _table(name: TableName) -> Table:
    from sluice.lake.tables import TABLES  # noqa: PLC0415  pyarrow, which --help needn't take

    return TABLES[name.value]


def _location(table: TableName, data_dir: Path | None, config: str | None) -> str:
    from sluice.lake.partition import LAKE_FOLDER  # noqa: PLC0415  what only DDL needs

    return str(data_dir_of(data_dir, config).absolute() / LAKE_FOLDER / table.value)


def _print_columns(table: Table, *, as_json: bool) -> None:
    if as_json:
        columns = [
            {
                "name": column.name,
                "type": str(column.type),
                "nullable": column.nullable,
                "json": column.json,
                "partition": column in table.partitions,
                "meaning": column.meaning,
                "source": column.source,
            }
            for column in table.all_columns
        ]
        print_json({"table": table.name, "version": table.version, "columns": columns})
        return
    print_table(
        ["column", "type", "null", "meaning"],
        [
            (column.name, column.kind, "yes" if column.nullable else "no", column.meaning.replace("`", ""))
            for column in table.all_columns
        ],
    )
