"""Blocking work, done beside the supervisor's loop whenever it is due: one run at a time, again until it succeeds.

What fails, or hangs, is counted and told; it holds up nothing else.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from sluice import telemetry
from sluice.errors import SluiceError
from sluice.outage import DISK_HANGS, Outage, cause_of, hint_of
from sluice.supervisor import metrics
from sluice.supervisor.beside import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["HANGS_AFTER_S", "RETRY_S", "Failed", "Retry"]

RETRY_S = 2.0
HANGS_AFTER_S = 10.0

_Result = TypeVar("_Result")

_messages = telemetry.messages_of("supervisor")


class Failed(NamedTuple):
    """Why a run that came to its end has to be done again.

    Attributes:
        cause: one of few.
        hint: how it is mended.
        facts: what else the operator needs.
    """

    cause: str
    hint: str
    facts: Mapping[str, object]


class Retry(Generic[_Result]):
    """Done when it was asked for, and after a pause when it has failed.

    Args:
        prepare: called in the loop when a run begins; what it returns is done in a thread, and may raise OSError or
            SluiceError.
        judge: called in the loop with what a run came to; says whether it is to be done again all the same.
        label: under which `sluice_supervisor_failures_total` counts failures.
        fails: what is said of each cause, as an ERROR.
        is_over: what is said when it has succeeded after that, as a WARNING.
        hangs_after_s: a run that takes longer is told as a failure, `stall`.
        facts: what stands in both messages.
    """

    def __init__(
        self,
        prepare: Callable[[], Callable[[], _Result]],
        judge: Callable[[_Result], Failed | None] = lambda _: None,
        *,
        label: str,
        fails: str,
        is_over: str,
        hangs_after_s: float = HANGS_AFTER_S,
        **facts: object,
    ) -> None:
        self._prepare = prepare
        self._judge = judge
        self._label = label
        self._outage = Outage(_messages, fails=fails, is_over=is_over, **facts)
        self._hangs_after_s = hangs_after_s
        self._run: asyncio.Future[_Result] | None = None
        self._hangs_at = math.inf
        self._is_due = False
        self._not_before = 0.0

    @property
    def is_failing(self) -> bool:
        """It has failed, or hangs, and has not succeeded since."""
        return self._outage.is_on

    def ask(self) -> None:
        """It is to be done soon; while it is being done: once more."""
        self._is_due = True

    def tick(self, now: float) -> None:
        """See what has come of a run, and begin one that is due.

        Args:
            now: seconds on the monotonic clock.
        """
        if self._run is not None:
            if not self._run.done():
                self._tell_if_it_hangs(now)
                return
            run, self._run = self._run, None
            self._look_at(run, now)
        if self._is_due and now >= self._not_before:
            self._is_due = False
            self._hangs_at = now + self._hangs_after_s
            self._run = beside(self._prepare(), name=self._label)

    async def rest(self) -> None:
        """Wait until the run in hand, if there is one, has come to its end; nobody looks at that."""
        if self._run is not None:
            await asyncio.wait({self._run})
            self._run.exception()

    def _look_at(self, run: asyncio.Future[_Result], now: float) -> None:
        error = run.exception()
        if isinstance(error, SluiceError | OSError):
            failed: Failed | None = Failed(cause_of(error), hint_of(error), {"error": str(error)})
        elif error is not None:
            raise error
        else:
            failed = self._judge(run.result())
        if failed is None:
            self._outage.over()
            return
        self._tell(failed)
        self._is_due = True
        self._not_before = now + RETRY_S

    def _tell_if_it_hangs(self, now: float) -> None:
        if now >= self._hangs_at:
            self._hangs_at = math.inf
            self._tell(Failed("stall", DISK_HANGS, {"error": f"no answer for {self._hangs_after_s:g} s"}))

    def _tell(self, failed: Failed) -> None:
        metrics.FAILURES.labels(self._label).inc()
        self._outage.failed(failed.cause, hint=failed.hint, kind="", about="", **failed.facts)
