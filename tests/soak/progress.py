"""How far a run is: drawn anew on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tests.soak.soak import Soak
from tests.support.ledger.ledger import Outcome

__all__ = ["Progress"]

_DRAWN_EVERY_S = 0.5
_LINE_EVERY_S = 15.0
_MOST_STEPS = 8


class Progress:
    """Shows a run until the block ends. What it does now is told by `say`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._now = ""
        self._soak: Soak | None = None
        self._wanted = 0
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def follow(self, soak: Soak, *, kills: int) -> None:
        """Show this run."""
        self._soak, self._wanted = soak, kills

    def say(self, words: str) -> None:
        """Tell what is done now."""
        self._now = words
        if self._live is None:
            sys.stderr.write(f"{time.monotonic() - self._began:7.1f} s  {words}\n")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._live is not None:
            self._live.stop()

    def _go_on(self) -> None:
        while not self._ended.wait(_LINE_EVERY_S if self._live is None else _DRAWN_EVERY_S):
            if self._soak is None:
                continue
            if self._live is None:
                self.say(self._line(self._soak))
            else:
                self._live.update(self._picture(self._soak), refresh=True)

    def _line(self, soak: Soak) -> str:
        attempts = len(soak.result.ledger or ())
        rate = attempts / max(1.0, time.monotonic() - self._began)
        classes = "" if soak.result.ledger is None else _classes(soak)
        return (
            f"{soak.kills} of {self._wanted} kills, {attempts} attempts ({classes}), {rate:.0f}/s, "
            f"longest wait {soak.oldest_wait_s:.1f} s, {soak.result.checks} comparisons"
        )

    def _picture(self, soak: Soak) -> Group:
        kills, points = (
            Table(title=title, box=None, title_justify="left") for title in ("kills", "latest kinds of steps")
        )
        for table in (kills, points):
            table.add_column(justify="right")
            table.add_column()
        for name, count in sorted(soak.result.tally.kills.copy().items()):
            kills.add_row(str(count), name)
        for name, count in list(soak.result.tally.points.copy().items())[-_MOST_STEPS:]:
            points.add_row(str(count), name)
        return Group(Text(self._line(soak)), Text(self._now, style="bold"), kills, points)


def _classes(soak: Soak) -> str:
    assert soak.result.ledger is not None
    classes = soak.result.ledger.classes()
    return ", ".join(f"{classes[o]} {o.name.lower().replace('_', ' ')}" for o in Outcome if classes[o])
