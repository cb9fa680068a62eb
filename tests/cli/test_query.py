"""`sluice query`: rows exactly as they are, in each format; refusals in DuckDB's words."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.command import InProcess, run, write_log

_HARD = """
    SELECT 1::BIGINT AS n, 9007199254740993::BIGINT AS large, 0.1::DOUBLE AS d, 'a,"b"\n' AS t, '' AS empty,
           NULL AS none, TIMESTAMPTZ '2026-01-31 07:00:00.123456+00' AS at, MAP {'k': 'v'} AS m, 'nan'::DOUBLE AS nan,
           170141183460469231731687303715884105727::HUGEINT AS huge
"""


def test_what_was_flushed_is_asked_for_in_sql(data_dir: Path) -> None:
    write_log(data_dir, events=2)
    assert run("flush", "--data-dir", str(data_dir)).code == 0

    result = run(
        *("query", "--data-dir", str(data_dir), "--format", "csv"),
        "select event_name, user_id from events order by user_id",
    )

    assert (result.code, result.out, result.err) == (0, "event_name,user_id\nbought,u0\nbought,u1\n", "")


@pytest.mark.parametrize("view", ["events", "rejects"])
def test_an_empty_lake_is_an_empty_view(sluice: InProcess, data_dir: Path, view: str) -> None:
    there = ("--data-dir", str(data_dir), f"select * from {view}")

    assert "request_id" in sluice("query", *there).out
    assert json.loads(sluice("query", "--format", "json", *there).out) == []
    assert len(sluice("query", "--format", "csv", *there).out.splitlines()) == 1


def test_csv_keeps_every_value_and_tells_null_from_an_empty_text(sluice: InProcess, data_dir: Path) -> None:
    out = sluice("query", "--format", "csv", "--data-dir", str(data_dir), _HARD).out

    [_, row] = csv.reader(io.StringIO(out))
    assert row == [
        *("1", "9007199254740993", "0.1", 'a,"b"\n', "", "", "2026-01-31 07:00:00.123456+00", "{k=v}", "nan"),
        "170141183460469231731687303715884105727",
    ]
    assert '"",,2026' in out


def test_json_keeps_every_value(sluice: InProcess, data_dir: Path) -> None:
    [row] = json.loads(sluice("query", "--format", "json", "--data-dir", str(data_dir), _HARD).out)

    assert row == {
        "n": 1,
        "large": 9007199254740993,
        "d": 0.1,
        "t": 'a,"b"\n',
        "empty": "",
        "none": None,
        "at": "2026-01-31 07:00:00.123456+00",
        "m": {"k": "v"},
        "nan": "NaN",
        "huge": 170141183460469231731687303715884105727,
    }


def test_a_table_shows_null_and_sets_numbers_to_the_right(sluice: InProcess, data_dir: Path) -> None:
    out = sluice("query", "--data-dir", str(data_dir), "select 1 as number, 'x' as word, null as none").out

    assert out.splitlines() == ["number  word  none", "     1  x     NULL"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", "Parser Error"),
        ("select * from nowhere", "Catalog Error"),
        ("copy (select 1) to 'stolen.csv'", "COPY: the lake is only read"),
        ("select * from read_text('/etc/passwd')", "Permission Error"),
        ("select 'x'::integer", "Conversion Error"),
    ],
)
def test_what_duckdb_refuses_is_1_in_its_own_words(sluice: InProcess, data_dir: Path, sql: str, message: str) -> None:
    result = sluice("query", "--data-dir", str(data_dir), sql)

    assert result.code == 1
    assert result.err.startswith(f"error: {message}")
    assert "Traceback" not in result.err
    assert not Path("stolen.csv").exists()


def test_two_columns_of_one_name_make_no_object(sluice: InProcess, data_dir: Path) -> None:
    result = sluice("query", "--format", "json", "--data-dir", str(data_dir), "select 1 as a, 2 as a")

    assert result.code == 1
    assert result.err.startswith("error: two columns have the same name")


@pytest.mark.parametrize("command", [["query", "select 1"], ["keys", "list"], ["keys", "revoke", "key_1"]])
def test_a_data_folder_that_is_not_there_is_named_and_not_made(
    sluice: InProcess, tmp_path: Path, command: list[str]
) -> None:
    missing = tmp_path / "missing"
    done = sluice(*command, "--data-dir", str(missing))

    assert done.code == 1
    assert f"{missing}: no such data folder" in done.err
    assert not missing.exists()
