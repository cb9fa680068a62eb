"""What core.py asks of a front, and what it gives a flush to ask with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.client.batch import Batch

__all__ = ["Mark", "Send", "Step", "Sync", "Wait"]


@dataclass(frozen=True, slots=True)
class Send:
    """Make a call with these events, and tell `answered` what it came to."""

    batch: Batch
    encoded: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Sync:
    """Sync the store."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done until so many seconds have passed, or something happens. None: until something happens."""

    seconds: float | None


Step: TypeAlias = Send | Sync | Wait


@dataclass(frozen=True, slots=True)
class Mark:
    """The moment at which a flush began.

    Attributes:
        epoch: what was logged before belongs to this epoch or an earlier one.
        failed_tries: how many tries had failed.
    """

    epoch: int
    failed_tries: int
