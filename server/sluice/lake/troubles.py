"""What keeps the lake writer from publishing: counted each time, and told once per outage.

outage                        over when
the disk refuses a step       a file was published, or nothing waits
one hour or segment can't     every such hour or segment was read, or is gone
be read; the others go on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.lake import metrics
from sluice.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Collection

    from sluice.errors import SluiceError
    from sluice.lake.metrics import Failure
    from sluice.lake.publish import PublishFailed

__all__ = ["Troubles"]

_messages = telemetry.messages_of("lake")


class Troubles:
    """All outages of the writing of one table.

    Args:
        table: its name.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._steps = Outage(
            _messages, fails="nothing is published now; segments wait", is_over="segments are published again"
        )
        self._unreadable = Outage(
            _messages,
            fails="not published: it can't be read; the others are",
            is_over="all that waits can be read again",
        )
        self._now: set[str] = set()

    def failed(self, error: PublishFailed) -> None:
        """A step failed."""
        _count(error.cause)
        self._steps.failed(error.cause.value, error=error.message, hint=error.hint, table=self._table)

    def unreadable(self, what: str, cause: Failure, error: SluiceError) -> None:
        """An hour, or a segment, can't be read; the others go on."""
        _count(cause)
        self._now.add(what)
        self._unreadable.failed(cause.value, about=what, error=error.message, hint=error.hint, table=self._table)

    def readable(self, *what: str) -> None:
        """These hours or segments were read."""
        if self._now:
            self._now.difference_update(what)
            self._end_if_none()

    def keep_only(self, what: Collection[str]) -> None:
        """Other hours and segments don't wait any more."""
        if self._now:
            self._now.intersection_update(what)
            self._end_if_none()

    def go_well(self) -> None:
        """A file was published, or nothing waits."""
        self._steps.over()

    def _end_if_none(self) -> None:
        if not self._now:
            self._unreadable.over()


def _count(cause: Failure) -> None:
    metrics.FAILURES.inc()
    metrics.FAILURES_BY_CAUSE.labels(cause.value).inc()
