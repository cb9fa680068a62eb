"""Tables keep what is in them, and a terminal doesn't obey what is in a cell."""

import json
import os
import pty
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from sluice.cli.output import cut, iso_time, json_line, print_table, say_error, wait_while_read


def test_a_table_in_a_pipe_cuts_nothing_off(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "n"], [("x" * 500, 1), ("y", 22)], right={1})

    assert capsys.readouterr().out.splitlines() == [
        "name" + " " * 498 + " n",
        "x" * 500 + "   1",
        "y" + " " * 501 + "22",
    ]


def test_control_characters_and_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["[bold]a"], [("\x1b[31mred\x07\n[/red]",), (None,)])

    assert capsys.readouterr().out.splitlines() == ["[bold]a", "\\x1b[31mred\\x07\\n[/red]", ""]


def test_an_error_of_several_lines_keeps_them_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    say_error("one\ntwo\x1b[2J", "mend it")

    assert capsys.readouterr().err == "error: one\ntwo\\x1b[2J\n  hint: mend it\n"


def test_times_are_iso_8601_in_utc() -> None:
    assert iso_time(1767225600.9) == "2026-01-01T00:00:00Z"
    assert iso_time(None) is None


def test_json_keeps_every_value_and_holds_no_control_character() -> None:
    row = {"at": datetime(2026, 1, 1, tzinfo=UTC), "text": "ä\n\x9b\x7f\u202e\u061c\u2028\u2029", "none": None}

    line = json_line(row)

    assert json.loads(line) == row | {"at": "2026-01-01T00:00:00.000000+00:00"}
    assert "ä" in line
    assert line.isprintable()


@contextmanager
def _as_standard_output(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> Iterator[None]:
    with os.fdopen(descriptor, "w") as stdout, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stdout)
        yield


@pytest.mark.parametrize(
    ("columns", "line", "shown"),
    [
        (10, "0123456789", "0123456789"),
        (10, "0123456789a", "012345678…"),
        (10, "漢字漢字漢字", "漢字漢字…"),
        (0, "x" * 500, "x" * 500),
    ],
)
def test_a_line_is_cut_to_the_terminal_in_cells(
    monkeypatch: pytest.MonkeyPatch, columns: int, line: str, shown: str
) -> None:
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    with _as_standard_output(monkeypatch, terminal):
        printed = cut(line)
    os.close(master)

    assert printed == shown


def test_nothing_is_cut_off_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert cut("x" * 5000) == "x" * 5000
    assert capsys.readouterr().out == ""


def test_waiting_ends_at_once_when_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with _as_standard_output(monkeypatch, writer):
        wait_while_read(0.01)
        os.close(reader)
        began = time.monotonic()
        with pytest.raises(BrokenPipeError):
            wait_while_read(20)

    assert time.monotonic() - began < 10
