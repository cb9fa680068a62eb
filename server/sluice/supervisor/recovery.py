"""When the log is recovered: before the first worker starts, and after a child's death, each time until it succeeds.

A segment that the disk does not let go on with holds up nobody: the others are sealed, workers start, and it is tried
again until it is sealed too.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from sluice.supervisor.retry import RETRY_S, Failed, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.log.recovery import RecoveryReport

__all__ = ["Recovery"]


class Recovery:
    """Runs recovery beside the loop, which goes on turning.

    Args:
        recover: seals the open segments whose lock is free, and is told what the run before came to; blocks, and may
            raise OSError or SluiceError.
        log: which of the logs, as it stands in messages.
    """

    def __init__(self, recover: Callable[[RecoveryReport | None], RecoveryReport], *, log: str) -> None:
        self._recover = recover
        self._before: RecoveryReport | None = None
        # How often it was asked for: in all; when the last run began; when the last one began that came to its end.
        self._asked = self._begun = self._ended = 0
        self._retry = Retry(
            self._begin,
            self._end,
            label="recovery",
            fails="recovery failed, and is tried again",
            is_over="recovery has succeeded",
            # A log of many large segments takes its time.
            hangs_after_s=math.inf,
            log=log,
        )

    @property
    def has_run(self) -> bool:
        """It has come to its end once: what no living process holds is sealed, but for what the disk refuses."""
        return self._before is not None

    @property
    def has_seen_all(self) -> bool:
        """A run that began after it was asked for last has come to its end: what the disk refuses may be left."""
        return self._ended == self._asked

    def ask(self) -> None:
        """Recover soon: a process has died that may have had a segment open."""
        self._asked += 1
        self._retry.ask()

    def tick(self, now: float) -> None:
        """Begin, or see what has come of it."""
        self._retry.tick(now)

    def _begin(self) -> Callable[[], RecoveryReport]:
        self._begun = self._asked
        return partial(self._recover, self._before)

    def _end(self, report: RecoveryReport) -> Failed | None:
        self._before, self._ended = report, self._begun
        if not report.failed:
            return None
        facts = {"error": "see the messages above", "segments": len(report.failed), "again_every_s": RETRY_S}
        return Failed("segments", "the messages of the segments say how", facts)
