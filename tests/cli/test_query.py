"""`sluice query`: rows exactly as they are, in each format; refusals in DuckDB's words."""

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command import COMMAND, InProcess, run, write_log
from tests.support.lake_log import MemoryLog
from tests.support.lake_service import files, publish_all, started
from tests.support.lake_sql import event, exposure, sent

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


@pytest.mark.parametrize("output", ["table", "json", "csv"])
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", "Parser Error"),
        ("select * from nowhere", "Catalog Error"),
        ("copy (select 1) to 'stolen.csv'", "COPY: the lake is only read"),
        ("insert into exposures select * from exposures", "INSERT: the lake is only read"),
        ("select * from read_text('/etc/passwd')", "Permission Error"),
        ("select 'x'::integer", "Conversion Error"),
        ("select evnt_name from events", 'Binder Error: Referenced column "evnt_name" not found in FROM clause!'),
        ("select * from event", "Catalog Error: Table with name event does not exist!"),
        ("select * from exposures('userID', 1, 2, 3)", "Binder Error: Macro exposures() does not support"),
        ("from metric_by_group('x')", "Binder Error: Macro metric_by_group() does not support"),
        ("select * from events group by", "Parser Error"),
        ("select 1; select 2", "the SQL holds 2 statements, and one before the last gives rows"),
        ("select 1; set variable x = 1", "the SQL holds 2 statements, and one before the last gives rows"),
        ("", "the SQL holds no statement"),
        (" ; -- nothing", "the SQL holds no statement"),
        ("pivot (select 1 as a) on a", "PIVOT on values that are not named"),
    ],
)
def test_a_wrong_question_is_1_in_words_and_prints_nothing_else(
    sluice: InProcess, data_dir: Path, sql: str, message: str, output: str
) -> None:
    result = sluice("query", "--format", output, "--data-dir", str(data_dir), sql)

    assert result.code == 1
    assert result.err.startswith(f"error: {message}")
    assert "Traceback" not in result.err
    assert result.out == ""
    assert not Path("stolen.csv").exists()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select evnt_name from events", 'Candidate bindings: "event_name"'),
        ("select * from event", 'Did you mean "events"?'),
        ("from exposures(1, 2, 3, 4)", "\n    exposures(unit_type := 'userID', since := NULL, until := NULL)"),
        ("from metric_by_group", "hint: it takes arguments: from metric_by_group('experiment', 'event')"),
        ("select * from sample_ratio", "hint: it takes arguments: from sample_ratio('experiment')"),
        ("select 1; select 2", "hint: ask one at a time; only SET may stand before"),
    ],
)
def test_what_would_be_right_is_said(sluice: InProcess, data_dir: Path, sql: str, words: str) -> None:
    assert words in sluice("query", "--data-dir", str(data_dir), sql).err


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_what_fails_while_rows_are_fetched_is_1_in_words(sluice: InProcess, data_dir: Path, output: str) -> None:
    sql = "select cast(if(i = 400000, 'x', '1') as int) as n from range(500000) t(i)"
    result = sluice("query", "--format", output, "--data-dir", str(data_dir), sql)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: Conversion Error: Could not convert string 'x' to INT32")
    assert "Traceback" not in result.err


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_an_error_names_the_line_of_the_question(sluice: InProcess, data_dir: Path, output: str) -> None:
    sql = "select 1\nfrom range(3) t(i)\nwhere cast(if(i = 2, 'x', '1') as int) > 0"

    assert "\nLINE 3: where cast(" in sluice("query", "--format", output, "--data-dir", str(data_dir), sql).err


def test_sql_that_is_no_utf_8_is_refused(data_dir: Path) -> None:
    done = subprocess.run(
        [COMMAND, "query", "--data-dir", str(data_dir), b"select '\xff'"], capture_output=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (1, b"error: the SQL is no UTF-8\n")


def test_set_may_stand_before_the_question(sluice: InProcess, data_dir: Path) -> None:
    sql = "set variable day = '2026-01-31'; select getvariable('day') as day;"

    assert sluice("query", "--format", "csv", "--data-dir", str(data_dir), sql).out == "day\n2026-01-31\n"


def test_what_is_published_is_answered_without_a_service_whatever_else_waits(sluice: InProcess, data_dir: Path) -> None:
    write_log(data_dir, events=2)
    assert run("flush", "--data-dir", str(data_dir)).code == 0
    write_log(data_dir, events=3)
    write_log(data_dir, events=4, sealed=False)

    result = sluice(
        "query", "--format", "csv", "--data-dir", str(data_dir), "select count(*) as n from events_distinct"
    )

    assert (result.code, result.out) == (0, "n\n2\n")


@pytest.fixture
def experiment(data_dir: Path) -> None:
    """Two users in each of two groups, of whom one in each buys; all of it is sent twice."""
    events = [
        *(exposure("config", "x", group, user=f"u{number}") for number, group in enumerate(("a", "a", "b", "b"))),
        *(event("bought", user=user, at_s=1, value=value) for user, value in (("u0", 2), ("u2", 6))),
    ]
    log = MemoryLog()
    log.seal([sent(*events, number=1), sent(*events, number=2)])
    publish_all(started(data_dir, log))


@pytest.mark.usefixtures("experiment")
def test_a_file_that_is_no_parquet_is_named(sluice: InProcess, data_dir: Path) -> None:
    [file] = files(data_dir)
    file.write_bytes(b"no parquet")

    result = sluice("query", "--data-dir", str(data_dir), "select count(*) from events")

    assert result.code == 1
    assert result.err.startswith(f"error: {file}: no Parquet file\n  hint: put back a whole one")


@pytest.mark.usefixtures("experiment")
@pytest.mark.parametrize(
    "asks",
    [
        "from events where event_name = 'x'",
        "select max(user_id) from events",
        "from exposures()",
        "from events_distinct",
    ],
)
def test_while_a_file_is_broken_no_question_about_events_is_answered_without_its_rows(
    sluice: InProcess, data_dir: Path, asks: str
) -> None:
    [file] = files(data_dir)
    (file.parent / "other.parquet").write_bytes(file.read_bytes()[:-20])

    result = sluice("query", "--data-dir", str(data_dir), asks)

    assert (result.code, result.out) == (1, "")
    assert "other.parquet: no Parquet file" in result.err


@pytest.mark.usefixtures("experiment")
@pytest.mark.parametrize(
    ("asks", "answer"), [("select 1 as n", "n\n1\n"), ("select count(*) as n from rejects", "n\n0\n")]
)
def test_while_a_file_is_broken_what_does_not_need_it_is_answered(
    sluice: InProcess, data_dir: Path, asks: str, answer: str
) -> None:
    [file] = files(data_dir)
    file.write_bytes(b"no parquet")

    assert sluice("query", "--format", "csv", "--data-dir", str(data_dir), asks).out == answer


@pytest.mark.usefixtures("experiment")
def test_a_file_that_is_broken_amid_its_rows_is_named(sluice: InProcess, data_dir: Path) -> None:
    [file] = files(data_dir)
    content = bytearray(file.read_bytes())
    content[4:600] = bytes(596)
    file.write_bytes(content)

    result = sluice("query", "--data-dir", str(data_dir), "from events")

    assert result.code == 1
    assert result.err.startswith(f"error: {file}: it can't be read: ")
    assert "hint: put back a whole one" in result.err


@pytest.mark.usefixtures("experiment")
def test_what_is_no_file_of_the_lake_keeps_nobody_from_asking(sluice: InProcess, data_dir: Path) -> None:
    [file] = files(data_dir)
    table = data_dir / "lake/events"
    os.mkfifo(file.parent / "pipe.parquet")
    (file.parent / "folder.parquet").mkdir()
    (file.parent / "gone.parquet").symlink_to("/nowhere")
    for path in (table / "notes.txt", table / "received_date=2026-01-30", file.parents[1] / "received_hour=01"):
        path.write_text("mine")

    result = sluice("query", "--format", "csv", "--data-dir", str(data_dir), "select count(*) as n from events")

    assert (result.code, result.out) == (0, "n\n12\n")


@pytest.mark.usefixtures("experiment")
@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("select event_name, count(*) as n from events_distinct where event_name = 'bought' group by 1", "bought,2"),
        ("select experiment, group_name, count(*) as n from exposures group by all order by all", "x,a,2\nx,b,2"),
        (
            "select group_name, units, events, total, mean from metric_by_group('x', 'bought', measure := 'sum')",
            "a,2,1,2.0,1.0\nb,2,1,6.0,3.0",
        ),
        (
            "select difference, difference_low from metric_difference('x', 'bought', 'a', measure := 'sum')",
            "2.0,",
        ),
        (
            "select group_name, units, p_value, verdict from sample_ratio('x')",
            "a,2,1.0,too few units\nb,2,1.0,too few units",
        ),
    ],
)
def test_the_views_for_experiments_answer(sluice: InProcess, data_dir: Path, sql: str, answer: str) -> None:
    result = sluice("query", "--format", "csv", "--data-dir", str(data_dir), sql)

    assert (result.code, result.err) == (0, "")
    assert result.out.partition("\n")[2] == f"{answer}\n"


@pytest.mark.parametrize("output", ["table", "json", "csv"])
@pytest.mark.parametrize("view", ["events_distinct", "exposures", "metric_by_group('x', 'a')", "sample_ratio('x')"])
def test_the_views_of_an_empty_lake_are_empty(sluice: InProcess, data_dir: Path, view: str, output: str) -> None:
    result = sluice("query", "--format", output, "--data-dir", str(data_dir), f"from {view}")

    assert (result.code, result.err, len(result.out.splitlines())) == (0, "", 1)
    assert ("project" in result.out) == (output != "json")


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
