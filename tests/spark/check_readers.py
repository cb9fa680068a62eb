"""Spark 3.5 and 4 read the lake with the lines of docs/lake.md and the DDL of `sluice lake schema`, Iceberg's too.

    make test-spark

Not named test_…: `make test` has no Spark. Each version runs once, in its own environment (tools/install_spark.py), and
answers all questions. Iceberg's runtime comes by Spark's own package manager, into build/ivy.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyiceberg.table import StaticTable

from sluice.lake.ddl import Engine, Table, ddl
from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, Column
from tests.support.engines.arrow_rows import rows_of
from tests.support.reader_engines import PAGE, Answer, Found, ask, lines_for, statements_of, types_for
from tests.support.reader_lake import ADDED, ADDED_VALUE, PREDICATES, ROWS, count_of, make

pytestmark = pytest.mark.timeout(600)

_BUILD = Path(__file__).parents[2] / "build"
_ICEBERG = "1.12.0"
# The environments of tools/install_spark.py, with the Iceberg runtime that is made for them.
_RUNTIMES = {"3.5": f"3.5_2.12:{_ICEBERG}", "4": f"4.1_2.13:{_ICEBERG}"}

# As the schema will be in the next table version: files lack a column that the statements declare.
_EVENTS = Table(
    name="events",
    version=2,
    columns=(*EVENT_COLUMNS, Column(name=ADDED.name, type=ADDED.type, meaning="It's \\ 'quoted'.", source="a test")),
    partitions=PARTITION_COLUMNS,
)
_COUNT = "select count(*) as n from events"
_ON_HOUR = "received_date = date'2026-01-31' and received_hour < 8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """What one version of Spark said.

    Attributes:
        lines: of the document's lines.
        said: for each statement, by its name, a table or the text of its error.
        warehouse: where its Iceberg tables are.
        files: how many files the lake has, before and behind all that.
    """

    lines: Answer
    said: dict[str, Found | str | None]
    warehouse: Path
    files: tuple[int, int]

    def table(self, name: str) -> Found:
        found = self.said[name]
        assert isinstance(found, Found), found
        return found

    def rows(self, name: str) -> list[dict[str, object]]:
        return self.table(name).rows


def _statements(lake: Path) -> dict[str, str]:
    create, repair = statements_of(ddl(Engine.SPARK, _EVENTS, str(lake)))
    create_iceberg, add_files = statements_of(ddl(Engine.ICEBERG, _EVENTS, str(lake)))
    hour = "select hour(received_at) as h from events where event_name = 'new'"
    return {
        "version": "select version() as v",
        "without mergeSchema": f"select * from parquet.`{lake}`",
        "json": """select get_json_object('{"item":"a","n":1e400}', '$.n') as n""",
        "create": create,
        "before repair": _COUNT,
        "repair": repair,
        "table": "select * from events",
        "table, one hour": f"{_COUNT} where {_ON_HOUR}",
        "table, described": "describe events",
        "elsewhere": "set spark.sql.session.timeZone = America/New_York",
        "hour elsewhere": hour,
        "in UTC": "set spark.sql.session.timeZone = UTC",
        "hour in UTC": hour,
        "namespace": "create namespace ice.sluice",
        "use": "use ice.sluice",
        "create iceberg": create_iceberg,
        "add files": add_files,
        "iceberg": "select * from events",
        "iceberg, one hour": f"{_COUNT} where {_ON_HOUR}",
        "iceberg, by statistics": f"{_COUNT} where user_id = ''",
        "iceberg, described": "describe events",
        "add files again": add_files,
        "create for days": create_iceberg.replace("CREATE TABLE events", "CREATE TABLE days"),
        "add a day": _of_a_day(add_files, "2026-01-30"),
        "add the next day": _of_a_day(add_files, "2026-01-31"),
        "days": "select count(*) as n from days",
        "expire": "call system.expire_snapshots(table => 'events')",
        "create by hour": "create table by_hour (received_at timestamp) using iceberg "
        "partitioned by (hours(received_at))",
        "add files by hour": add_files.replace("'events'", "'by_hour'"),
        "drop": "drop table spark_catalog.default.events",
    }


def _of_a_day(add_files: str, day: str) -> str:
    """The call that adds the files of one day to the table `days`."""
    return add_files.replace("'events'", "'days'").removesuffix(")") + f", partition_filter => {_filter(day)})"


def _filter(day: str) -> str:
    return f"map('received_date', '{day}')"


@pytest.fixture(scope="module", params=_RUNTIMES)
def spark(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Spark:
    folder = tmp_path_factory.mktemp("it's a größer folder")
    lake = make(folder / "data")
    files = len(list(lake.glob("*/*/*")))
    statements = _statements(lake)
    settings = {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.jars.ivy": str(_BUILD / "ivy"),
        "spark.jars.packages": f"org.apache.iceberg:iceberg-spark-runtime-{_RUNTIMES[request.param]}",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.ice": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.ice.type": "hadoop",
        "spark.sql.catalog.ice.warehouse": str(folder / "iceberg"),
    }
    answer = ask(
        "spark",
        folder,
        lines=lines_for("Spark"),
        predicates=PREDICATES,
        statements=list(statements.values()),
        python=_BUILD / f"spark-{request.param}/bin/python",
        within_s=500,
        SPARK="\n".join(f"{name}={value}" for name, value in settings.items()),
        SPARK_LOCAL_IP="127.0.0.1",
    )
    said = dict(zip(statements, answer.results, strict=True))
    return Spark(lines=answer, said=said, warehouse=folder / "iceberg", files=(files, len(list(lake.glob("*/*/*")))))


def _types(columns: Sequence[Column], **others: str) -> dict[str, str]:
    documented = types_for("Spark")
    return {column.name: documented[str(column.type)] for column in columns} | others


def test_the_lines_of_the_document_find_every_value_of_files_of_two_table_versions(spark: Spark) -> None:
    assert spark.lines.table is not None
    assert spark.lines.table.rows == list(ROWS)


def test_the_lines_of_the_document_find_the_documented_type_of_every_column(spark: Spark) -> None:
    assert spark.lines.table is not None
    # Spark takes the type of the hour from what the folders' names look like.
    assert spark.lines.table.types == _types(_EVENTS.all_columns, received_hour="int")


def test_a_condition_finds_the_rows_that_have_it(spark: Spark) -> None:
    assert dict(zip(PREDICATES, spark.lines.counts, strict=True)) == {p: count_of(p) for p in PREDICATES}


def test_the_lines_of_the_document_print_something(spark: Spark) -> None:
    assert "größer" in spark.lines.printed


def test_no_statement_fails_that_should_not(spark: Spark) -> None:
    failed = {name: result for name, result in spark.said.items() if isinstance(result, str)}

    assert failed.keys() == {"add files again", "expire", "add files by hour"}, failed


@pytest.mark.parametrize("table", ["table", "iceberg"])
def test_a_declared_table_holds_every_row_of_both_table_versions(spark: Spark, table: str) -> None:
    assert spark.rows(table) == list(ROWS)
    assert [row[ADDED.name] for row in spark.rows(table)] == [None] * (len(ROWS) - 1) + [ADDED_VALUE]


@pytest.mark.parametrize("table", ["table", "iceberg"])
def test_a_declared_table_has_the_documented_types(spark: Spark, table: str) -> None:
    assert spark.table(table).types == _types(_EVENTS.all_columns)


@pytest.mark.parametrize("table", ["table", "iceberg"])
def test_a_condition_on_the_folders_columns_holds_in_a_declared_table(spark: Spark, table: str) -> None:
    expected = sum(str(row["received_date"]) == "2026-01-31" and row["received_hour"] < 8 for row in ROWS)

    assert spark.rows(f"{table}, one hour") == [{"n": expected}]


@pytest.mark.parametrize("table", ["table", "iceberg"])
def test_columns_carry_their_meaning(spark: Spark, table: str) -> None:
    comments = {row["col_name"]: row["comment"] for row in spark.rows(f"{table}, described")}

    assert comments["metadata"] == "Free-form facts about the event. JSON text."
    assert comments[ADDED.name] == "It's \\ 'quoted'."


def test_iceberg_finds_rows_by_the_files_statistics(spark: Spark) -> None:
    assert spark.rows("iceberg, by statistics") == [{"n": count_of(("user_id", "=", ""))}]


def test_pyiceberg_reads_the_table_that_spark_has_filled(spark: Spark) -> None:
    newest = max(
        (spark.warehouse / "sluice/events/metadata").glob("v*.metadata.json"),
        key=lambda path: int(path.name.split(".")[0][1:]),
    )

    found = rows_of(StaticTable.from_metadata(str(newest)).scan().to_arrow())

    assert sorted(found, key=lambda row: (row["request_id"], row["event_index"])) == list(ROWS)


def test_without_merge_schema_what_later_files_add_is_dropped(spark: Spark) -> None:
    assert ADDED.name not in spark.table("without mergeSchema").types


def test_a_table_sees_no_hour_before_it_is_repaired(spark: Spark) -> None:
    assert spark.rows("before repair") == [{"n": 0}]


def test_times_are_taken_apart_in_the_zone_of_the_session(spark: Spark) -> None:
    assert (spark.rows("hour elsewhere"), spark.rows("hour in UTC")) == ([{"h": 4}], [{"h": 9}])


def test_a_json_number_beyond_all_doubles_is_a_text(spark: Spark) -> None:
    assert spark.rows("json") == [{"n": '"Infinity"'}]


def test_files_are_added_once(spark: Spark) -> None:
    assert "Cannot complete import because data files" in str(spark.said["add files again"])


def test_a_day_is_added_behind_another(spark: Spark) -> None:
    assert spark.rows("days") == [{"n": len(ROWS)}]
    assert _filter("2026-01-31") in PAGE.read_text()


def test_dropping_a_table_leaves_the_files_alone(spark: Spark) -> None:
    before, after = spark.files
    assert before == after


def test_files_of_the_lake_are_not_icebergs_to_delete(spark: Spark) -> None:
    assert "GC is disabled" in str(spark.said["expire"])


def test_add_files_wants_a_table_partitioned_by_the_folders_columns(spark: Spark) -> None:
    assert "Cannot find a partition spec" in str(spark.said["add files by hour"])


def test_the_document_names_the_versions_that_ran(spark: Spark) -> None:
    [row] = spark.rows("version")
    version = str(row["v"]).split()[0]

    assert re.search(rf"\b{re.escape(version)}\b", PAGE.read_text())
    assert f"Iceberg {_ICEBERG}" in PAGE.read_text()
