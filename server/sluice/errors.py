"""The base class of every error that Sluice raises on purpose.

A stage's own errors stand in the file that raises them. Inside a stage an error knows neither HTTP statuses nor exit
codes: ingest/answers.py and cli/app.py map it.
"""

from __future__ import annotations

__all__ = ["SluiceError"]


class SluiceError(Exception):
    """What went wrong, where, and how to mend it.

    Args:
        message: lower case, no full stop, values with their units; never an event's content.
        hint: what to do about it, as a command or a setting.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
