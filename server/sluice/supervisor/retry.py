"""Something that has to be done, and is tried again while it fails: when it is, what is counted, and what is told."""

from __future__ import annotations

from sluice import telemetry
from sluice.outage import Outage
from sluice.supervisor import metrics

__all__ = ["RETRY_S", "Retry"]

RETRY_S = 2.0

_messages = telemetry.messages_of("supervisor")


class Retry:
    """Due when it was asked for, or has failed.

    Args:
        label: under which `sluice_supervisor_failures_total` counts its failures.
        fails: what is said of each cause, as an ERROR.
        is_over: what is said when it has succeeded after that, as a WARNING.
    """

    def __init__(self, *, label: str, fails: str, is_over: str) -> None:
        self._failures = metrics.FAILURES.labels(label)
        self._outage = Outage(_messages, fails=fails, is_over=is_over)
        self._is_due = False
        self._not_before = 0.0

    @property
    def is_due(self) -> bool:
        """It is to be tried, now or when the pause after a failure is over."""
        return self._is_due

    @property
    def is_failing(self) -> bool:
        """It has failed, and not succeeded since."""
        return self._outage.is_on

    def ask(self) -> None:
        """It is to be done soon."""
        self._is_due = True

    def begins(self, now: float) -> bool:
        """Whether to try it now; what is asked for from then on is another try.

        Args:
            now: seconds on the monotonic clock.
        """
        if not self._is_due or now < self._not_before:
            return False
        self._is_due = False
        return True

    def failed(self, now: float, cause: str, **facts: object) -> None:
        """It has to be tried again, after a pause.

        Args:
            now: seconds on the monotonic clock.
            cause: one of few.
            facts: what else the operator needs to know.
        """
        self._failures.inc()
        self._outage.failed(cause, about="", **facts)
        self._is_due = True
        self._not_before = now + RETRY_S

    def succeeded(self) -> None:
        """Tell that it is over, if it had failed."""
        self._outage.over()
