"""When the next try may be made.

The pause is drawn evenly between nothing and twice a mean that doubles with each failure ("full jitter"), so that
clients which a server has lost at the same moment don't come back at the same moment.

Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff"]

# What a server may ask for in RetryInfo, at most: a wrong figure must not stop deliveries for a day.
_LONGEST_ASKED_S = 300.0
# Of doublings: beyond, the mean is the longest pause whatever the settings.
_MOST_DOUBLINGS = 40
# A caller that waits has the next try at once, but not oftener than this.
_HURRIED_EVERY_S = 1.0

_NEVER = float("-inf")


class Backoff:
    """The pause of one client: while the server is away it makes one try at a time, whatever waits.

    Args:
        first_s: mean pause after one failure, in seconds.
        longest_s: the longest pause, in seconds.
        draw: a random number from 0 to 1.
    """

    def __init__(self, *, first_s: float, longest_s: float, draw: Callable[[], float]) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._draw = draw
        self._failed_at = _NEVER
        self._asked_until = _NEVER
        self.failures = 0
        self.resume_at = _NEVER

    def failed(self, *, started_at: float, now: float, asked_s: float = 0.0) -> None:
        """A try that began at `started_at` has failed; the server asks for a pause of `asked_s`."""
        # Tries that were under way together are one failure of the server.
        if started_at >= self._failed_at:
            self.failures += 1
        self._failed_at = now
        self._asked_until = max(self._asked_until, now + min(asked_s, _LONGEST_ASKED_S))
        self.resume_at = max(self.resume_at, max(now, self._asked_until) + self.pause_s(self.failures))

    def succeeded(self) -> None:
        """The server has answered."""
        self.failures = 0
        self._asked_until = self.resume_at = _NEVER

    def hurry(self, now: float) -> None:
        """Somebody waits: make the next try soon, but not before the server has asked for it."""
        self.resume_at = min(self.resume_at, max(now, self._asked_until, self._failed_at + _HURRIED_EVERY_S))

    def pause_s(self, failures: int) -> float:
        """A pause after so many failures, in seconds, drawn anew each time."""
        mean_s = self._first_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(2 * mean_s, self._longest_s) * self._draw()
