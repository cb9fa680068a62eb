"""What `sluice lake schema --for …` prints is taken by its engine, which then finds the whole lake.

Spark and Iceberg's in Spark: tests/spark/check_readers.py. Athena is not to be had here: a parser reads its statement.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlglot
from sqlglot import exp

from sluice.lake.ddl import Engine, NoSuchPlace, Table, ddl
from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS, Column
from tests.support.reader_engines import Found, ask, statements_of, types_for
from tests.support.reader_lake import ADDED, ROWS, count_of, make

_EVENTS = Table(name="events", version=1, columns=EVENT_COLUMNS, partitions=PARTITION_COLUMNS)
_REJECTS = replace(_EVENTS, name="rejects", columns=REJECT_COLUMNS)
# As the schema will be in the next table version.
_LATER = replace(
    _EVENTS,
    version=2,
    columns=(*EVENT_COLUMNS, Column(name=ADDED.name, type=ADDED.type, meaning="It's \\ 'quoted'.", source="a test")),
)
_S3 = "s3://bucket/lake/events"
_TITLES = {Engine.DUCKDB: "DuckDB", Engine.CLICKHOUSE: "ClickHouse"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The event table's folder, in one whose name needs care."""
    return make(tmp_path_factory.mktemp("it's a größer folder") / "data")


class Declared(NamedTuple):
    """The tables that an engine gave."""

    engine: Engine
    events: Found
    count: Found
    comment: Found
    comment_with_quotes: Found


@pytest.fixture(scope="module", params=[Engine.DUCKDB, Engine.CLICKHOUSE], ids=lambda engine: engine.value)
def declared(request: pytest.FixtureRequest, lake: Path) -> Declared:
    """What an engine says of a table that it has just been told of."""
    engine: Engine = request.param
    comments = {
        Engine.DUCKDB: "select comment from duckdb_columns() where column_name = '{}'",
        Engine.CLICKHOUSE: "select comment from system.columns where table = 'events' and name = '{}'",
    }[engine]
    asked = [
        "select * from events",
        "select count(*) as n from events where received_hour < 9",
        comments.format("metadata"),
        comments.format(ADDED.name),
    ]
    return Declared(engine, *_tables(engine, lake, _LATER, *asked))


def _tables(engine: Engine, lake: Path, table: Table, *statements: str) -> list[Found]:
    made = statements_of(ddl(engine, table, str(lake)))
    results = ask(engine.value, lake.parent, statements=[*made, *statements]).results
    assert [result for result in results if isinstance(result, str)] == []
    return [result for result in results[len(made) :] if isinstance(result, Found)]


def test_a_declared_table_holds_every_row_of_both_table_versions(declared: Declared) -> None:
    nothing = {} if declared.engine is Engine.CLICKHOUSE else None

    assert declared.events.rows == [row | {"user_custom_ids": row["user_custom_ids"] or nothing} for row in ROWS]


def test_a_declared_table_has_the_documented_types(declared: Declared) -> None:
    documented = types_for(_TITLES[declared.engine])

    for column in _LATER.all_columns:
        name = documented[str(column.type)]
        nullable = declared.engine is Engine.CLICKHOUSE and column.nullable and "Map" not in name
        assert declared.events.types[column.name] == (f"Nullable({name})" if nullable else name), column.name


def test_a_condition_on_the_hour_holds_in_a_declared_table(declared: Declared) -> None:
    assert declared.count.rows == [{"n": count_of(("received_hour", "<", 9))}]


def test_columns_carry_their_meaning(declared: Declared) -> None:
    assert declared.comment.rows == [{"comment": "Free-form facts about the event. JSON text."}]
    assert declared.comment_with_quotes.rows == [{"comment": "It's \\ 'quoted'."}]


def test_clickhouse_declares_a_table_that_has_no_file_yet(lake: Path) -> None:
    (count,) = _tables(Engine.CLICKHOUSE, lake.with_name("rejects"), _REJECTS, "select count(*) as n from rejects")

    assert count.rows == [{"n": 0}]


def test_dropping_a_table_of_clickhouse_leaves_the_files_alone(lake: Path) -> None:
    files = sorted(lake.glob("*/*/*"))

    _tables(Engine.CLICKHOUSE, lake, _EVENTS, "drop table events")

    assert sorted(lake.glob("*/*/*")) == files


def test_duckdb_says_that_there_is_no_file_yet(lake: Path) -> None:
    statement, *_ = statements_of(ddl(Engine.DUCKDB, _REJECTS, str(lake.with_name("rejects"))))

    (result,) = ask("duckdb", lake.parent, statements=[statement]).results

    assert "No files found" in str(result)


@pytest.mark.parametrize(
    ("engine", "dialect", "place"),
    [
        (Engine.ATHENA, "athena", _S3),
        (Engine.SPARK, "spark", "/lake/events"),
        (Engine.CLICKHOUSE, "clickhouse", "/lake/events"),
    ],
)
@pytest.mark.parametrize("table", [_EVENTS, _REJECTS], ids=lambda table: table.name)
def test_a_parser_reads_every_column_with_its_comment(engine: Engine, dialect: str, place: str, table: Table) -> None:
    create, *_ = sqlglot.parse(ddl(engine, table, place), read=dialect)

    assert isinstance(create, exp.Create)
    declared = {column.name: column for column in create.find_all(exp.ColumnDef)}
    assert [*declared] == [column.name for column in table.all_columns]
    assert all(column.find(exp.CommentColumnConstraint) for column in declared.values())


def test_athena_computes_partitions_as_the_folders_are_named() -> None:
    (create,) = sqlglot.parse(ddl(Engine.ATHENA, _EVENTS, f"{_S3}/"), read="athena")

    assert create is not None
    properties = {p.name: p.args["value"].name for p in create.find_all(exp.Property) if type(p) is exp.Property}
    assert properties["projection.enabled"] == "true"
    assert properties["projection.received_date.format"] == "yyyy-MM-dd"
    assert properties["projection.received_hour.digits"] == "2"
    assert properties["storage.location.template"] == (
        f"{_S3}/received_date=${{received_date}}/received_hour=${{received_hour}}/"
    )
    location = create.find(exp.LocationProperty)
    assert location is not None
    assert location.this.name == f"{_S3}/"


def test_comments_are_short_enough_for_glue_where_athenas_tables_are_kept() -> None:
    create = sqlglot.parse_one(ddl(Engine.ATHENA, _EVENTS, _S3), read="athena")

    # 255 bytes: AWS Glue, Column, Comment.
    assert max(len(comment.this.name.encode()) for comment in create.find_all(exp.CommentColumnConstraint)) <= 255


@pytest.mark.parametrize(
    ("engine", "place", "said"),
    [
        (Engine.ATHENA, "/data/lake/events", "no address of an object store"),
        (Engine.CLICKHOUSE, "/data/{a}/events", "{ means something else"),
        (Engine.CLICKHOUSE, "/data/*/events", "means something else"),
        (Engine.DUCKDB, "/data/\\/events", "means something else"),
        (Engine.CLICKHOUSE, _S3, "no folder"),
    ],
)
def test_a_place_that_an_engine_cant_read_from_is_refused(engine: Engine, place: str, said: str) -> None:
    with pytest.raises(NoSuchPlace, match=said) as refused:
        ddl(engine, _EVENTS, place)
    assert refused.value.hint
