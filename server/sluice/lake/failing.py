"""A step of publishing that the disk refused: what failed, and whether for want of room."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sluice.lake.metrics import Failure

__all__ = ["PublishFailed", "failing"]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class PublishFailed(SluiceError):
    """The disk refused; nothing is lost.

    Attributes:
        cause: what failed.
        no_room: whether the disk is full.
        about: hours or segments whose own fault it may be, so that others need not share it; else empty.
    """

    def __init__(self, cause: Failure, error: OSError) -> None:
        no_room = error.errno in _NO_ROOM
        super().__init__(
            f"{cause.value} failed: {error}", hint="free space on the disk of the data folder" if no_room else ""
        )
        self.cause = cause
        self.no_room = no_room
        self.about: Collection[str] = ()


@contextmanager
def failing(cause: Failure) -> Iterator[None]:
    """Let an OSError in the block be a PublishFailed of that cause."""
    try:
        yield
    except OSError as exc:
        raise PublishFailed(cause, exc) from exc
