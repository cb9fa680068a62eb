"""The status line: what it says, and that messages of other processes never mix with it."""

import io

import pytest

from sluice.supervisor.figures import Counts, LakeLag
from sluice.supervisor.health import Health
from sluice.supervisor.readiness import Facts
from sluice.supervisor.status_line import MAX_CHARACTERS, StatusLine, status_text
from sluice.unfailing import UnfailingStream

_READY = Facts(recovered=True, edge_listens=True, workers=(Health.SERVING,))


def _on(terminal: io.StringIO) -> StatusLine:
    return StatusLine(UnfailingStream(terminal, lost_line=str))


def _screen(written: str) -> list[str]:
    """What a terminal shows: it knows carriage return, line feed, and erasing a line."""
    lines, column = [""], 0
    text = written
    while text:
        if text.startswith("\x1b[2K"):
            lines[-1], text = "", text[4:]
            continue
        character, text = text[0], text[1:]
        if character == "\r":
            column = 0
        elif character == "\n":
            lines.append("")
            column = 0
        else:
            lines[-1] = lines[-1][:column].ljust(column) + character + lines[-1][column + 1 :]
            column += 1
    return lines


@pytest.mark.parametrize(
    ("facts", "lag_s", "text"),
    [
        pytest.param(_READY, 3.7, "ready  accepted 1,234  in the lake 1,200  lag 3s", id="ready"),
        pytest.param(_READY, 600.0, "ready  accepted 1,234  in the lake 1,200  lag 10m", id="minutes"),
        pytest.param(_READY, 36000.0, "ready  accepted 1,234  in the lake 1,200  lag 10h", id="hours"),
        pytest.param(Facts(draining=True), 0.0, "draining  accepted 1,234  in the lake 1,200  lag 0s", id="not ready"),
    ],
)
def test_it_tells_the_three_figures(facts: Facts, lag_s: float, text: str) -> None:
    assert status_text(Counts(events_accepted=1234, rows=1200), LakeLag(oldest_waiting_s=lag_s), facts) == text


def test_a_message_of_any_process_covers_it_and_the_next_drawing_comes_below() -> None:
    terminal = io.StringIO()
    line = _on(terminal)
    message = "2026-11-24T02:33:09.123456Z [info     ] file published                 rows=812 role=lake"
    line.draw("ready  accepted 1  in the lake 0  lag 1s")
    terminal.write(f"{message}\n")
    line.draw("ready  accepted 2  in the lake 1  lag 0s")

    assert _screen(terminal.getvalue()) == [message, "ready  accepted 2  in the lake 1  lag 0s"]


def test_it_is_shorter_than_a_message() -> None:
    terminal = io.StringIO()
    _on(terminal).draw("x" * 200)

    assert len(_screen(terminal.getvalue())[0]) == MAX_CHARACTERS


def test_nothing_of_it_stays() -> None:
    terminal = io.StringIO()
    line = _on(terminal)
    line.draw("ready")
    line.clear()

    assert _screen(terminal.getvalue()) == [""]
