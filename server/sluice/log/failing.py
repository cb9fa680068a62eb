"""How the log's writer says that it can't go on, and why."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.outage import hint_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.log.metrics import Failure

__all__ = ["WriterFailed", "failing"]


class WriterFailed(SluiceError):
    """The disk refuses, hangs, or there is too little of it; `SegmentWriter.mend` must succeed before the next commit.

    Attributes:
        cause: what failed.
        path: what it failed on.
    """

    def __init__(self, message: str, *, cause: Failure, path: Path, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.path = str(path)


@contextmanager
def failing(cause: Failure, path: Path) -> Iterator[None]:
    """Let an OSError be a WriterFailed of that cause."""
    try:
        yield
    except OSError as exc:
        message = f"{cause.value} failed: {exc.strerror or exc}"
        raise WriterFailed(message, cause=cause, path=path, hint=hint_of(exc, path)) from exc
