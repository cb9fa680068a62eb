"""What the operator is told when the log takes no records, and when to try again."""

from __future__ import annotations

import time

from sluice.log.failing import WriterFailed
from sluice.log.metrics import Failure, Figures
from sluice.outage import Outage, hint_of
from sluice.telemetry import messages_of

__all__ = ["LogOutage", "Overload"]

_messages = messages_of("log")

_FIRST_BACK_OFF_S = 0.1
_LONGEST_BACK_OFF_S = 5.0

_SECONDS_BETWEEN_MESSAGES = 10.0


class LogOutage:
    """From the first failure until a probe write succeeds.

    Args:
        figures: where it is counted, and in which words it is told.
    """

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._outage = Outage(_messages, fails=figures.fails, is_over=figures.is_over)
        self._back_off_s = 0.0
        self._cause: Failure | None = None
        self._refused = 0

    def failed(self, error: BaseException) -> None:
        """Count a failure; tell it if its cause is new in this outage."""
        cause = error.cause if isinstance(error, WriterFailed) else Failure.UNEXPECTED
        self._figures.failures.labels(cause.value).inc()
        self._show(cause)
        if isinstance(error, WriterFailed):
            self._outage.failed(cause.value, error=error.message, path=error.path, hint=hint_of(error))
        else:
            self._outage.failed(cause.value, hint=hint_of(error), exc_info=error)

    def refused(self, records: int) -> None:
        """Count records that were refused."""
        self._refused += records

    def next_back_off_s(self) -> float:
        """How long to wait before the next try, in seconds: the first comes at once, each later one after longer."""
        back_off_s = self._back_off_s
        self._back_off_s = min(max(2 * back_off_s, _FIRST_BACK_OFF_S), _LONGEST_BACK_OFF_S)
        return back_off_s

    def over(self) -> None:
        """Tell that it is over."""
        self._show(None)
        self._outage.over(refused_requests=self._refused)

    def _show(self, cause: Failure | None) -> None:
        if self._cause is not None:
            self._figures.outages.labels(self._cause.value).set(0)
        if cause is not None:
            self._figures.outages.labels(cause.value).set(1)
        self._cause = cause


class Overload:
    """Records that found the queue full.

    Args:
        figures: as of LogOutage.
    """

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._told_at_s = float("-inf")
        self._refused = 0

    def refused(self, *, waiting_bytes: int, limit_bytes: int, asked_bytes: int) -> None:
        """Count a refused record; tell it, with those since the last message, unless that one was just before."""
        self._figures.failures.labels(Failure.QUEUE_FULL.value).inc()
        self._refused += 1
        now_s = time.monotonic()
        if now_s - self._told_at_s < _SECONDS_BETWEEN_MESSAGES:
            return
        _messages.warning(
            self._figures.is_behind,
            waiting_bytes=waiting_bytes,
            limit_bytes=limit_bytes,
            asked_bytes=asked_bytes,
            refused_requests=self._refused,
        )
        self._told_at_s, self._refused = now_s, 0
