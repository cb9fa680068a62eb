"""One calm line on a terminal: events accepted, rows in the lake, lag.

The cursor rests at the line's begin. So whatever any of the processes writes to the terminal covers the line, which is
shorter than every message, and the next drawing comes below it: nothing has to be passed through one process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.supervisor.readiness import Reason, reasons_not_ready

if TYPE_CHECKING:
    from sluice.supervisor.figures import Counts, LakeLag
    from sluice.supervisor.readiness import Facts
    from sluice.unfailing import UnfailingStream

__all__ = ["MAX_CHARACTERS", "StatusLine", "status_text"]

# A message begins with 27 characters of time and 12 of level, and pads its text to 30.
MAX_CHARACTERS = 68

# ECMA-48: carriage return, EL 2 (erase the line).
_ERASE = "\r\x1b[2K"


class StatusLine:
    """Draws the line anew when its text has changed, or when something may have been written over it.

    Args:
        terminal: where it is drawn: where messages go, so that neither cuts the other in two.
    """

    def __init__(self, terminal: UnfailingStream) -> None:
        self._terminal = terminal
        self._shown = False

    def draw(self, text: str) -> None:
        """Show this text."""
        self._terminal.draw(f"{_ERASE}{text[:MAX_CHARACTERS]}\r")
        self._shown = True

    def clear(self) -> None:
        """Show nothing."""
        if self._shown:
            self._terminal.draw(_ERASE)
            self._shown = False


def status_text(counts: Counts, lag: LakeLag, facts: Facts) -> str:
    """What the line says."""
    figures = f"accepted {counts.events_accepted:,}  in the lake {counts.rows:,}  lag {_duration(lag.oldest_waiting_s)}"
    why = [reason.value for reason in reasons_not_ready(facts)]
    if why == [Reason.LOG_UNWRITABLE.value] and facts.log_causes:
        why = list(facts.log_causes)
    return f"{why[0].replace('_', ' ')}  {figures}" if why else f"ready  {figures}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 120:
        return f"{whole}s"
    return f"{whole // 60}m" if whole < 7200 else f"{whole // 3600}h"
