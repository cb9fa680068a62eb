"""The lake's tables as each engine declares them: pure text, made of the columns of `schema.py`.

    duckdb      a view over the files
    clickhouse  a table over the files (engine File)
    spark       a table over the files, and the statement that finds their partitions
    iceberg     Spark's SQL: an Iceberg table, and the procedure that takes the files into it
    athena      Hive's DDL, with partitions that Athena computes by itself

What the statements hold is executed by the engines in tests, but for Athena's, which only a parser has read. A column
that older files lack is null in all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from sluice.errors import SluiceError
from sluice.lake.partition import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sluice.lake.schema import Column

__all__ = [
    "Engine",
    "NoSuchPlace",
    "Table",
    "as_pattern",
    "ddl",
    "duckdb_empty",
    "duckdb_error",
    "duckdb_rows",
    "quoted",
]


class Engine(Enum):
    """What reads the lake; the values are those of `sluice lake schema --for`."""

    DUCKDB = "duckdb"
    SPARK = "spark"
    CLICKHOUSE = "clickhouse"
    ATHENA = "athena"
    ICEBERG = "iceberg"


class NoSuchPlace(SluiceError):
    """An engine can't read the table from where it is said to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the lake.

    Attributes:
        name: its name, and its folder's.
        version: the table version that the columns are of.
        columns: in the order of the files.
        partitions: the columns that the folders' names give, outermost first.
    """

    name: str
    version: int
    columns: Sequence[Column]
    partitions: Sequence[Column]

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns of the files, then those of the folders."""
        return (*self.columns, *self.partitions)


# By the Arrow type's own name. Spark's are Iceberg's, too.
_TYPES: dict[str, dict[Engine, str]] = {
    arrow: dict(zip((Engine.DUCKDB, Engine.CLICKHOUSE, Engine.SPARK, Engine.ATHENA), names, strict=True))
    for arrow, names in {
        "string": ("VARCHAR", "String", "STRING", "string"),
        "bool": ("BOOLEAN", "Bool", "BOOLEAN", "boolean"),
        "int32": ("INTEGER", "Int32", "INT", "int"),
        "int64": ("BIGINT", "Int64", "BIGINT", "bigint"),
        "double": ("DOUBLE", "Float64", "DOUBLE", "double"),
        "date32[day]": ("DATE", "Date", "DATE", "date"),
        "timestamp[us, tz=UTC]": ("TIMESTAMP WITH TIME ZONE", "DateTime64(6, 'UTC')", "TIMESTAMP", "timestamp"),
        "map<string, string>": (
            "MAP(VARCHAR, VARCHAR)",
            # Nullable, so that a key that isn't there is null as elsewhere, not an empty text.
            "Map(String, Nullable(String))",
            "MAP<STRING, STRING>",
            "map<string,string>",
        ),
    }.items()
}
# The hours of Athena's partitions are counted from here; no file of the lake is older.
_ATHENA_FIRST_DAY = "2026-01-01"
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://")


def ddl(engine: Engine, table: Table, location: str) -> str:
    """The statements that make an engine know a table, each ended by `;` and a line feed.

    Args:
        engine: the engine.
        table: the table.
        location: the table's folder, as the engine is to find it: an absolute path, or an address as `s3://…`.

    Raises:
        NoSuchPlace: the engine can't read from there.
    """
    location = location.rstrip("/")
    match engine:
        case Engine.DUCKDB:
            statements = _duckdb(table, location)
        case Engine.CLICKHOUSE:
            statements = _clickhouse(table, location)
        case Engine.SPARK:
            statements = _spark(table, location)
        case Engine.ICEBERG:
            statements = _iceberg(table, location)
        case Engine.ATHENA:
            statements = _athena(table, location)
        case _:
            assert_never(engine)
    head = f"-- {table.name}, table version {table.version}\n"
    return head + "".join(f"{statement};\n" for statement in statements)


def duckdb_empty(columns: Iterable[Column]) -> str:
    """DuckDB's SELECT of no rows with these columns."""
    typed = ",\n  ".join(f"NULL::{_TYPES[str(c.type)][Engine.DUCKDB]} AS {c.name}" for c in columns)
    return f"SELECT\n  {typed}\nWHERE false"


def duckdb_error(columns: Iterable[Column], message: str) -> str:
    """DuckDB's SELECT with these columns that fails, with that message, whatever is asked of it."""
    # Neither a constant nor without a row: both are optimized away.
    typed = ",\n  ".join(f"nothing::{_TYPES[str(c.type)][Engine.DUCKDB]} AS {c.name}" for c in columns)
    fails = f"SELECT error({quoted(message)} || repeat('', row)) AS nothing FROM (VALUES (1)) AS one(row)"  # noqa: S608  quoted
    return f"WITH failing AS MATERIALIZED ({fails})\nSELECT\n  {typed}\nFROM failing\nWHERE nothing IS NULL"


def duckdb_rows(table: Table, location: str) -> str:
    """DuckDB's SELECT of all rows of a table that has files, by name: what older files lack is null."""
    types = ", ".join(f"'{c.name}': {_TYPES[str(c.type)][Engine.DUCKDB]}" for c in table.partitions)
    files = quoted(f"{as_pattern(location)}/*/*/*{SUFFIX}")
    return (
        f"{duckdb_empty(table.all_columns)}\n"
        "UNION ALL BY NAME\n"
        f"SELECT * FROM read_parquet({files}, union_by_name=true, hive_partitioning=true, hive_types={{{types}}})"
    )


def quoted(text: str) -> str:
    """The text as standard SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def as_pattern(path: str) -> str:
    """The path as a DuckDB pattern that matches just it."""
    return re.sub(r"[*?\[]", r"[\g<0>]", path)


def _duckdb(table: Table, location: str) -> list[str]:
    _refuse_any_of("\\", location, engine=Engine.DUCKDB)
    comments = (
        f"COMMENT ON COLUMN {table.name}.{column.name} IS {quoted(_comment(column))}" for column in table.all_columns
    )
    return [f"CREATE OR REPLACE VIEW {table.name} AS\n{duckdb_rows(table, location)}", *comments]


def _clickhouse(table: Table, location: str) -> list[str]:
    if _REMOTE.match(location):
        raise NoSuchPlace(
            f"clickhouse: {location} is no folder of its machine",
            hint="print the table for a folder, and write its engine anew: S3('https://…/*/*/*.parquet', Parquet)",
        )
    _refuse_any_of("*?{}[]", location, engine=Engine.CLICKHOUSE)

    def type_of(column: Column) -> str:
        name = _TYPES[str(column.type)][Engine.CLICKHOUSE]
        # ClickHouse has no map that is null: it reads as an empty one.
        return f"Nullable({name})" if column.nullable and not name.startswith("Map") else name

    columns = _lines(f"{c.name} {type_of(c)} COMMENT {_escaped(_comment(c))}" for c in table.all_columns)
    files = _escaped(f"{location}/*/*/*{SUFFIX}")
    return [f"CREATE TABLE {table.name} (\n{columns}\n)\nENGINE = File(Parquet, {files})"]


def _spark(table: Table, location: str) -> list[str]:
    create = f"{_spark_columns(table)}\nUSING parquet\n{_spark_partitions(table)}\nLOCATION {_escaped(location)}"
    return [create, f"MSCK REPAIR TABLE {table.name}"]


def _iceberg(table: Table, location: str) -> list[str]:
    files = _escaped(f"`parquet`.`{location.replace('`', '``')}`")
    # The files stay the lake's: without this, expiring snapshots deletes those whose rows the table has deleted.
    keeps_files = "TBLPROPERTIES ('gc.enabled' = 'false')"
    return [
        f"{_spark_columns(table)}\nUSING iceberg\n{_spark_partitions(table)}\n{keeps_files}",
        f"CALL system.add_files(table => '{table.name}', source_table => {files})",
    ]


def _spark_columns(table: Table) -> str:
    def declared(column: Column) -> str:
        # The folders' columns are in no file: pyiceberg reads none that is NOT NULL and not there.
        constraint = "" if column.nullable or column in table.partitions else " NOT NULL"
        return (
            f"{column.name} {_TYPES[str(column.type)][Engine.SPARK]}{constraint} COMMENT {_escaped(_comment(column))}"
        )

    return f"CREATE TABLE {table.name} (\n{_lines(map(declared, table.all_columns))}\n)"


def _spark_partitions(table: Table) -> str:
    return f"PARTITIONED BY ({', '.join(column.name for column in table.partitions)})"


def _athena(table: Table, location: str) -> list[str]:
    if not _REMOTE.match(location):
        raise NoSuchPlace(
            f"athena: {location} is no address of an object store",
            hint=f"copy the lake there, and name the table's folder: --location s3://BUCKET/lake/{table.name}",
        )

    def declared(column: Column, type_: str) -> str:
        # Hive escapes an apostrophe otherwise than SQL; one that needs no escape is right in both.
        comment = _comment(column).replace("'", "’")
        return f"`{column.name}` {type_} COMMENT {quoted(comment)}"

    date, hour = table.partitions
    columns = _lines(declared(c, _TYPES[str(c.type)][Engine.ATHENA]) for c in table.columns)
    # The types that AWS documents for projected partitions.
    partitions = _lines([declared(date, "string"), declared(hour, "int")])
    properties = {
        "projection.enabled": "true",
        f"projection.{date.name}.type": "date",
        f"projection.{date.name}.format": "yyyy-MM-dd",
        f"projection.{date.name}.range": f"{_ATHENA_FIRST_DAY},NOW",
        f"projection.{hour.name}.type": "integer",
        f"projection.{hour.name}.range": "0,23",
        f"projection.{hour.name}.digits": "2",
        "storage.location.template": f"{location}/{date.name}=${{{date.name}}}/{hour.name}=${{{hour.name}}}/",
    }
    pairs = _lines(f"{quoted(name)} = {quoted(value)}" for name, value in properties.items())
    create = f"CREATE EXTERNAL TABLE {table.name} (\n{columns}\n)\nPARTITIONED BY (\n{partitions}\n)"
    return [f"{create}\nSTORED AS PARQUET\nLOCATION {quoted(f'{location}/')}\nTBLPROPERTIES (\n{pairs}\n)"]


def _refuse_any_of(characters: str, location: str, *, engine: Engine) -> None:
    """Refuse a place with characters that are special in the engine's patterns, where nothing escapes them."""
    if found := next((character for character in characters if character in location), None):
        raise NoSuchPlace(
            f"{engine.value}: {location}: {found} means something else there, and can't be escaped",
            hint="name a folder without it, such as a symbolic link: --location FOLDER",
        )


def _lines(items: Iterable[str]) -> str:
    return ",\n".join(f"  {item}" for item in items)


def _comment(column: Column) -> str:
    return column.meaning.replace("`", "") + (" JSON text." if column.json else "")


def _escaped(text: str) -> str:
    """The text as Spark and ClickHouse write it: with backslashes that escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
