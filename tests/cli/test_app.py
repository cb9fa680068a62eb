"""Exit codes, the words of errors, help, and how fast a command is there."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from sluice.cli.app import app
from tests.support.command import COMMAND, InProcess, run, write_log


def _commands() -> Iterator[tuple[str, ...]]:
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        path, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [((*path, name), each) for name, each in below.items()]
        if not below:
            yield path


def test_the_commands_are_those_that_people_and_scripts_rely_on() -> None:
    assert {" ".join(path) for path in _commands()} == {
        "up",
        "flush",
        "status",
        "query",
        "keys create",
        "keys import",
        "keys list",
        "keys set",
        "keys revoke",
        "rejects list",
        "rejects show",
        "rejects replay",
        "lake schema",
        "log list",
        "log verify",
        "log dump",
        "tail",
        "trace",
    }


@pytest.mark.parametrize("path", list(_commands()), ids=" ".join)
def test_every_help_says_what_the_command_does_and_shows_one_line_to_paste(
    sluice: InProcess, path: tuple[str, ...]
) -> None:
    help_text = sluice(*path, "--help")

    assert help_text.code == 0
    examples = re.findall(rf"^  sluice {' '.join(path)}\b.*$", help_text.out, re.MULTILINE)
    assert len(examples) == 1
    assert "--data-dir" in help_text.out
    assert "--config" in help_text.out


def test_no_command_at_all_is_wrong_usage_and_shows_what_there_is(sluice: InProcess) -> None:
    for arguments in ([], ["keys"], ["log"]):
        result = sluice(*arguments)

        assert result.code == 2
        assert "Commands:" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "error: no such command 'nope'\n  hint: sluice --help\n"),
        (["keys", "create"], "error: missing option '--kind'. Choose from: server, client\n  hint: sluice keys create"),
        (["keys", "create", "--kind", "x"], "error: invalid value for '--kind': 'x' is not one of 'server', 'client'"),
        (["flush", "--timeout", "10"], 'error: --timeout: "10" has no unit\n  hint: write 10s, 500ms or 2m\n'),
        (["up", "--seal-age", "10"], 'error: --seal-age: "10" has no unit\n  hint: write 10s, 500ms or 2m\n'),
        (["up", "--transcoding", "json"], 'error: --transcoding: "json" is none of: body, typed\n'),
        (
            ["keys", "set", "key_1", "--on-invalid", "keep"],
            "error: invalid value for '--on-invalid': 'keep' is not one of 'reject', 'quarantine'",
        ),
        (["status", "--config", "nope.toml"], "error: nope.toml: no such file\n"),
    ],
)
def test_wrong_usage_and_wrong_settings_are_2_and_one_clear_line(
    sluice: InProcess, arguments: list[str], message: str
) -> None:
    result = sluice(*arguments)

    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith(message)
    assert len(result.err.splitlines()) <= 2


def test_what_the_system_refuses_is_1_with_the_place_and_no_traceback(sluice: InProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = sluice("keys", "create", "--kind", "client", "--data-dir", str(tmp_path / "file" / "below"))

    assert result.code == 1
    assert result.err == f"error: {tmp_path}/file: File exists\n"


def test_a_data_folder_that_is_not_there_is_told(sluice: InProcess) -> None:
    for arguments in (["flush"], ["status"], ["log", "list"]):
        result = sluice(*arguments, "--data-dir", "nowhere")

        assert result.code == 1
        assert result.err.startswith("error: nowhere: no such data folder\n")


def test_the_data_folder_comes_from_flag_variable_or_file(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text('data-dir = "data"')
    written = write_log(data_dir, events=1)

    by_flag = run("log", "list", "--data-dir", str(data_dir), SLUICE_DATA_DIR="nowhere")
    by_variable = run("log", "list", SLUICE_DATA_DIR=str(data_dir))
    by_file = run("log", "list")

    for result in (by_flag, by_variable, by_file):
        assert written in result.out


def test_the_version_is_that_of_the_package(sluice: InProcess) -> None:
    assert re.fullmatch(r"sluice [0-9]+\.[0-9]+\.[0-9]+\S*\n", sluice("--version").out)


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    code = "import sys, sluice.cli.app; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    heavy = {"grpc", "pyarrow", "duckdb", "pydantic", "structlog", "google.protobuf", "prometheus_client", "rich"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_reader_that_has_had_enough_ends_a_command_quietly(data_dir: Path) -> None:
    query = f"{COMMAND} query --format csv --data-dir {data_dir} 'from range(1000000)' | head -n 1"
    done = subprocess.run(["sh", "-c", query], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout == "range\n"
    assert done.stderr == ""


def test_a_command_whose_output_is_closed_does_its_work_all_the_same(data_dir: Path) -> None:
    write_log(data_dir, events=1)
    command = f"{COMMAND} tail --no-follow --data-dir {data_dir} >&- 2>&-; {COMMAND} log list --data-dir {data_dir} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
