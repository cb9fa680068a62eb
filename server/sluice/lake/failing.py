"""A step of publishing that the disk refused: what failed, on which path, and how that is mended."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.outage import NO_ROOM, hint_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sluice.lake.metrics import Failure

__all__ = ["PublishFailed", "failing"]


class PublishFailed(SluiceError):
    """The disk refused; nothing is lost.

    Attributes:
        cause: what failed.
        kind: what it has in common with failures of other steps that are mended in the same way.
        no_room: whether the disk is full.
        about: hours or segments whose own fault it may be, so that others need not share it; else empty.
    """

    def __init__(self, cause: Failure, error: OSError) -> None:
        where = error.filename
        reason = error.strerror or str(error)
        super().__init__(f"{cause.value} failed: {reason}{f': {where}' if where else ''}", hint=hint_of(error))
        self.cause = cause
        self.kind = kind_of(error)
        self.no_room = error.errno in NO_ROOM
        self.about: Collection[str] = ()


@contextmanager
def failing(cause: Failure) -> Iterator[None]:
    """Let an OSError in the block be a PublishFailed of that cause."""
    try:
        yield
    except OSError as exc:
        raise PublishFailed(cause, exc) from exc
