"""Which segments a lake writer may have died of: its successor takes them one at a time, and at last not at all."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Blame", "is_broken", "is_own_fault"]

# From outside: the kernel's out-of-memory killer, an operator, or the supervisor itself.
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM}
_OF_BROKEN_CODE = {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE, -signal.SIGABRT, -signal.SIGTRAP}


def is_own_fault(exit_code: int) -> bool:
    """Whether a process died of what it did: an exit code, or a signal other than SIGKILL and SIGTERM."""
    return exit_code != 0 and exit_code not in _FROM_OUTSIDE


def is_broken(exit_code: int) -> bool:
    """Whether a process was ended by a signal that tells of broken memory or code."""
    return exit_code in _OF_BROKEN_CODE


class Blame:
    """Counts deaths by segment, for as long as this supervisor lives."""

    def __init__(self) -> None:
        self._deaths: dict[str, int] = {}
        self._last: dict[str, None] = {}

    @property
    def deaths(self) -> Mapping[str, int]:
        """By segment id, how often a writer died by its own fault while it had the segment in hand."""
        return dict(self._deaths)

    @property
    def last(self) -> tuple[str, ...]:
        """Ids of segments that a writer had in hand when it was killed: to be taken when nothing else is left.

        The latest comes last, so that one with which every writer is killed holds up no other.
        """
        return tuple(self._last)

    def note(self, exit_code: int, in_hand: Iterable[str]) -> None:
        """Note how a writer ended, and which segments it had in hand."""
        if is_own_fault(exit_code):
            for segment in in_hand:
                self._deaths[segment] = self._deaths.get(segment, 0) + 1
        elif exit_code == -signal.SIGKILL:
            for segment in in_hand:
                self._last.pop(segment, None)
                self._last[segment] = None
