"""Tables keep what is in them, and a terminal doesn't obey what is in a cell."""

import pytest

from sluice.cli.output import iso_time, print_table, say_error


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
