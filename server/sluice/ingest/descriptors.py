"""Whether this worker has file descriptors left: without one it takes no new connection, and calls there would hang."""

from __future__ import annotations

import os

from sluice.ingest import metrics
from sluice.outage import Outage
from sluice.telemetry import messages_of

__all__ = ["Descriptors"]

_messages = messages_of("ingest")


class Descriptors:
    """Looks whether one can be had."""

    def __init__(self) -> None:
        self._outage = Outage(_messages, fails="worker takes no requests", is_over="worker has file descriptors again")

    @property
    def are_left(self) -> bool:
        """As of the last look."""
        return not self._outage.is_on

    def look(self) -> None:
        """Look, and tell if there is none."""
        try:
            os.close(os.dup(0))
        except OSError as exc:
            metrics.FAULTS.labels("descriptors").inc()
            self._outage.failed("descriptors", error=str(exc), hint="raise its limit: prlimit --nofile, LimitNOFILE")
        else:
            self._outage.over()
        metrics.OUTAGES.labels("descriptors").set(self._outage.is_on)
