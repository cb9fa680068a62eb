"""What keeps the lake writer from publishing: counted each time, and told once per outage.

What a table's steps fail by is one outage though each try fails at another step, as at the making of the staging folder
after the write of a file; it is told again where something else has to be mended.

outage                        over when
the disk refuses a step       a file was published, or nothing waits
it refuses a step for one     every such hour or segment was published, or is gone
hour or segment; the others
are published meanwhile
one hour or segment can't     every such hour or segment was read, or is gone
be read; the others go on
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.lake import metrics
from sluice.lake.metrics import Failure
from sluice.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Collection

    from sluice.errors import SluiceError
    from sluice.lake.failing import PublishFailed

__all__ = ["Troubles"]

_messages = telemetry.messages_of("lake")


class _OfSome:
    """An outage of some hours or segments, while the others go on."""

    def __init__(self, table: str, *, fails: str, is_over: str) -> None:
        self._outage = Outage(_messages, fails=fails, is_over=is_over, table=table)
        self._now: dict[str, str] = {}

    def failed(self, cause: Failure, about: Collection[str], error: SluiceError) -> None:
        self._now.update(dict.fromkeys(about, cause.value))
        self._outage.failed(cause.value, about=min(about), error=error.message, hint=error.hint)

    @property
    def causes(self) -> set[str]:
        """What is the matter with those that are."""
        return set(self._now.values())

    def over(self, *about: str) -> None:
        for one in about:
            self._now.pop(one, None)
        if not self._now:
            self._outage.over()

    def keep_only(self, about: Collection[str]) -> None:
        self.over(*(self._now.keys() - set(about)))


class Troubles:
    """All outages of the writing of one table. An hour is named by its name, a segment by its id.

    Args:
        table: its name.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._steps = Outage(
            _messages,
            fails="nothing is published now; segments wait",
            is_over="segments are published again",
            table=table,
        )
        self._apart = _OfSome(
            table, fails="not published, or not let go; the others are", is_over="all that waits can be published again"
        )
        self._unreadable = _OfSome(
            table, fails="not published: it can't be read; the others are", is_over="all that waits can be read again"
        )
        # For which a step failed, and whether others were published since.
        self._failed: dict[str, bool] = {}
        # Why the last step failed, as long as none has succeeded since.
        self._step_fails: set[str] = set()
        self._shown: set[str] = set()

    @property
    def failed_for(self) -> Collection[str]:
        """Hours and segments that a step failed for: better taken when nothing else is due."""
        return self._failed.keys()

    def failed(self, error: PublishFailed) -> None:
        """A step failed."""
        _count(error.cause)
        if any(self._failed.get(one) for one in error.about):
            self._apart.failed(error.cause, error.about, error)
        else:
            self._step_fails = {error.cause.value}
            self._steps.failed(error.cause.value, kind=error.kind, error=error.message, hint=error.hint)
        for one in error.about:
            self._failed.setdefault(one, False)
        self._show()

    def left_apart(self, error: PublishFailed, about: str) -> None:
        """A segment can't be set aside. That holds up no other."""
        _count(error.cause)
        self._apart.failed(error.cause, [about], error)
        self._show()

    def unreadable(self, about: str, cause: Failure, error: SluiceError) -> None:
        """An hour, or a segment, can't be read; the others go on."""
        _count(cause)
        self._unreadable.failed(cause, [about], error)
        self._show()

    def readable(self, *about: str) -> None:
        """These hours or segments were read."""
        self._unreadable.over(*about)
        self._show()

    def published(self, *about: str) -> None:
        """These hours or segments were published and let go."""
        self._steps_go_on()
        for one in about:
            self._failed.pop(one, None)
        for one in self._failed:
            self._failed[one] = True
        self._apart.over(*about)
        self._show()

    def nothing_waits(self) -> None:
        """All is in the lake."""
        self._steps_go_on()
        self._show()

    def folders_are_there(self) -> None:
        """The staging folder was made and the log listed, though nothing is due: what hindered that alone is over."""
        if self._step_fails <= {Failure.STAGING.value, Failure.LIST.value}:
            self.nothing_waits()

    def keep_only(self, about: Collection[str]) -> None:
        """Other hours and segments don't wait any more."""
        self._failed = {one: others_are for one, others_are in self._failed.items() if one in about}
        self._apart.keep_only(about)
        self._unreadable.keep_only(about)
        self._show()

    def _steps_go_on(self) -> None:
        self._step_fails = set()
        self._steps.over()

    def _show(self) -> None:
        causes = self._step_fails | self._apart.causes | self._unreadable.causes
        for cause in causes - self._shown:
            metrics.OUTAGES.labels(self._table, cause).set(1)
        for cause in self._shown - causes:
            metrics.OUTAGES.labels(self._table, cause).set(0)
        self._shown = causes


def _count(cause: Failure) -> None:
    metrics.FAILURES.inc()
    metrics.FAILURES_BY_CAUSE.labels(cause.value).inc()
