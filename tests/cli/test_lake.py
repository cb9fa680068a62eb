"""`sluice lake schema`: columns for people and programs, DDL for engines. What engines make of it: tests/lake."""

import json
from pathlib import Path

import pytest

from sluice.lake.schema import EVENT_COLUMNS, PARTITION_COLUMNS, REJECT_COLUMNS, TABLE_VERSION
from tests.support.command import InProcess, run

_ALL_EVENT_COLUMNS = [column.name for column in (*EVENT_COLUMNS, *PARTITION_COLUMNS)]


def test_the_columns_are_shown_with_type_and_meaning(sluice: InProcess) -> None:
    head, *lines = sluice("lake", "schema").out.splitlines()

    assert head.split() == ["column", "type", "null", "meaning"]
    assert [line.split()[0] for line in lines] == _ALL_EVENT_COLUMNS
    [metadata] = [line for line in lines if line.startswith("metadata ")]
    assert metadata.split(maxsplit=4) == ["metadata", "string,", "JSON", "yes", "Free-form facts about the event."]


@pytest.mark.parametrize(("table", "columns"), [("events", EVENT_COLUMNS), ("rejects", REJECT_COLUMNS)])
def test_programs_get_the_columns_as_json(sluice: InProcess, table: str, columns: tuple[object, ...]) -> None:
    printed = json.loads(sluice("lake", "schema", "--json", "--table", table).out)

    assert (printed["table"], printed["version"]) == (table, TABLE_VERSION)
    assert len(printed["columns"]) == len(columns) + len(PARTITION_COLUMNS)
    assert printed["columns"][0] == {
        "name": "request_id",
        "type": "string",
        "nullable": False,
        "json": False,
        "partition": False,
        "meaning": printed["columns"][0]["meaning"],
        "source": "the service",
    }
    assert [column["name"] for column in printed["columns"] if column["partition"]] == [
        "received_date",
        "received_hour",
    ]


@pytest.mark.parametrize("engine", ["duckdb", "spark", "clickhouse", "iceberg"])
@pytest.mark.parametrize("table", ["events", "rejects"])
def test_ddl_names_the_lake_of_the_data_folder_by_its_whole_path(
    sluice: InProcess, engine: str, table: str, tmp_path: Path
) -> None:
    result = sluice("lake", "schema", "--for", engine, "--table", table, "--data-dir", "somewhere")

    assert (result.code, result.err) == (0, "")
    assert f"{tmp_path}/somewhere/lake/{table}" in result.out
    assert result.out.endswith(";\n")


def test_ddl_names_the_place_that_is_said(sluice: InProcess) -> None:
    out = sluice("lake", "schema", "--for", "athena", "--location", "s3://bucket/lake/events").out

    assert "\nLOCATION 's3://bucket/lake/events/'\n" in out


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["--for", "athena"], "no address of an object store", "--location s3://BUCKET/lake/events"),
        (["--for", "clickhouse", "--location", "/a/*/b"], "can't be escaped", "--location FOLDER"),
        (["--for", "duckdb", "--json"], "--json: DDL is SQL", "leave out --for, or --json"),
        (["--location", "/lake"], "--location: only DDL has a place", "--for duckdb"),
        (["--for", "spark", "--location", "/"], '--location: "/" is no folder of a table', "that holds its files"),
        (["--for", "oracle"], "'oracle' is not one of", "sluice lake schema --help"),
        (["--table", "users"], "'users' is not one of", "sluice lake schema --help"),
    ],
)
def test_what_cant_be_meant_is_2_with_a_hint(sluice: InProcess, arguments: list[str], said: str, hint: str) -> None:
    result = sluice("lake", "schema", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert hint in result.err


def test_the_real_command_prints_ddl_without_a_data_folder(tmp_path: Path) -> None:
    result = run("lake", "schema", "--for", "duckdb", "--data-dir", str(tmp_path / "missing"))

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"-- events, table version {TABLE_VERSION}\nCREATE OR REPLACE VIEW events AS\n")
    assert not (tmp_path / "missing").exists()
