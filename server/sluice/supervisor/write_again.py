"""A file that has to be written, and is tried again while the disk refuses: no disk ends the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.outage import Outage
from sluice.supervisor import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RETRY_S", "WriteAgain"]

RETRY_S = 2.0

_messages = telemetry.messages_of("supervisor")


class WriteAgain:
    """One file, whenever it is due.

    Args:
        write: writes it, or raises OSError.
        name: the file's, as messages call it.
        cause: the label under which failures are counted.
    """

    def __init__(self, write: Callable[[], None], *, name: str, cause: str) -> None:
        self._write = write
        self._cause = cause
        self._not_before = 0.0
        self._outage = Outage(
            _messages, fails=f"{name} can't be written, and is tried again", is_over=f"{name} can be written again"
        )
        self.is_due = False

    def ask(self) -> None:
        """It is to be written soon."""
        self.is_due = True

    def tick(self, now: float) -> None:
        """Write it if it is due, unless the disk refused just before."""
        if not self.is_due or now < self._not_before:
            return
        try:
            self._write()
        except OSError as exc:
            metrics.FAILURES.labels(self._cause).inc()
            self._outage.failed(str(exc.strerror), error=str(exc))
            self._not_before = now + RETRY_S
        else:
            self._outage.over()
            self.is_due = False
