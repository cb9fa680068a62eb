"""When the log is recovered: before the first worker starts, and after a child's death until it has succeeded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RETRY_S", "Recovery"]

RETRY_S = 2.0

_messages = telemetry.messages_of("supervisor")


class Recovery:
    """Runs recovery beside the loop, which goes on turning.

    Args:
        recover: seals the open segments whose lock is free; blocks, and may raise OSError or SluiceError.
    """

    def __init__(self, recover: Callable[[], object]) -> None:
        self._recover = recover
        self._task: asyncio.Task[object] | None = None
        self._is_due = False
        self._not_before = 0.0

    @property
    def is_done(self) -> bool:
        """Nothing is known that is still to be recovered."""
        return not self._is_due and self._task is None

    def ask(self) -> None:
        """Recover soon: a process has died that may have had a segment open."""
        self._is_due = True

    async def run_now(self) -> None:
        """Recover, and raise what it raises."""
        await asyncio.to_thread(self._recover)

    def tick(self, now: float) -> None:
        """Begin, or see what has come of it."""
        if self._task is not None:
            if not self._task.done():
                return
            error = self._task.exception()
            self._task = None
            if isinstance(error, SluiceError | OSError):
                _messages.error("recovery failed, and is tried again", error=str(error), again_in_s=RETRY_S)
                self._is_due = True
                self._not_before = now + RETRY_S
            elif error is not None:
                raise error
        if self._is_due and now >= self._not_before:
            self._is_due = False
            self._task = asyncio.create_task(self.run_now())
