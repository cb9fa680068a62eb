"""A file that has to be written, and is tried again while the disk refuses: no disk ends the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.outage import cause_of
from sluice.supervisor.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WriteAgain"]


class WriteAgain:
    """One file, whenever it is due.

    Args:
        write: writes it, or raises OSError.
        name: the file's, as messages call it.
        label: under which failures are counted.
    """

    def __init__(self, write: Callable[[], None], *, name: str, label: str) -> None:
        self._write = write
        self._retry = Retry(
            label=label, fails=f"{name} can't be written, and is tried again", is_over=f"{name} can be written again"
        )

    @property
    def is_due(self) -> bool:
        """It is still to be written."""
        return self._retry.is_due

    def ask(self) -> None:
        """It is to be written soon."""
        self._retry.ask()

    def tick(self, now: float) -> None:
        """Write it if it is due, unless the disk refused just before."""
        if not self._retry.begins(now):
            return
        try:
            self._write()
        except OSError as exc:
            self._retry.failed(now, cause_of(exc), error=str(exc))
        else:
            self._retry.succeeded()
