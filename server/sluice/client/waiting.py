"""The batches that are not settled, by what each waits for: more events, its turn, the end of a pause, an answer."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from sluice.client.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Waiting"]


class Waiting:
    """All batches of a client that are not settled.

    An epoch ends with each flush; whether all that was logged before a flush is settled is told by the epochs.

    Args:
        leftovers: how many times batches of an earlier client will come in; they are of epoch 0.

    Attributes:
        open: the batch that collects events.
        in_flight: those that are on their way, by their keys.
        epoch: how many flushes have begun, and one.
    """

    def __init__(self, leftovers: int) -> None:
        self.open: Batch | None = None
        self.in_flight: dict[bytes, Batch] = {}
        self.epoch = 1
        self._ready: deque[Batch] = deque()
        self._later: list[Batch] = []
        self._turn_of_later = True
        # Batches of each epoch that are not settled; of epoch 0 besides what may come in.
        self._unsettled: Counter[int] = Counter({0: leftovers})

    @property
    def has_ready(self) -> bool:
        """Whether a batch waits for its turn alone."""
        return bool(self._ready)

    def begin(self, now: float) -> Batch:
        """Open a batch."""
        self.open = Batch(epoch=self.epoch, since=now)
        self._unsettled[self.epoch] += 1
        return self.open

    def cut(self) -> None:
        """No more events come to the open batch: it waits for its turn."""
        batch, self.open = self.open, None
        if batch is None:
            return
        if batch.events:
            self._ready.append(batch)
        else:  # the disk failed on its first event
            self.forget(batch)

    def found(self, leftovers: Sequence[Batch]) -> None:
        """Batches of an earlier client have come in, all of one file."""
        self._unsettled[0] += len(leftovers) - 1
        self._ready.extend(leftovers)

    def take(self, now: float) -> Batch | None:
        """Take the batch whose turn it is: in turn the oldest, and one whose pause is over.

        So a batch that fails again and again holds up no other, and those that wait don't keep it from being tried.
        """
        due = min(self._later, key=lambda batch: batch.not_before, default=None)
        if due is not None and due.not_before > now:
            due = None
        if due is not None and (self._turn_of_later or not self._ready):
            self._turn_of_later = False
            self._later.remove(due)
            return due
        self._turn_of_later = True
        return self._ready.popleft() if self._ready else None

    def put_off(self, batch: Batch, *, until: float) -> None:
        """Let a batch that was taken wait."""
        batch.not_before = until
        self._later.append(batch)

    def replace(self, batch: Batch, parts: Sequence[Batch]) -> None:
        """Put others, whose turn is next, in the place of a batch that was taken."""
        self._unsettled[batch.epoch] += len(parts)
        self._ready.extendleft(reversed(parts))
        self.forget(batch)

    def forget(self, batch: Batch) -> None:
        """A batch that was taken is settled."""
        self._unsettled[batch.epoch] -= 1
        if not self._unsettled[batch.epoch]:
            del self._unsettled[batch.epoch]

    def take_begun_before(self, moment: float) -> list[Batch]:
        """Take those that have waited since then, but for what is on its way."""
        old = [batch for batch in self._later if batch.since <= moment]
        self._later = [batch for batch in self._later if batch.since > moment]
        while self._ready and self._ready[0].since <= moment:
            old.append(self._ready.popleft())
        return old

    def take_all(self) -> list[Batch]:
        """Take all, also what is on its way."""
        self.cut()
        taken = [*self.in_flight.values(), *self._later, *self._ready]
        self.in_flight.clear()
        self._later.clear()
        self._ready.clear()
        return taken

    def hurry(self, *, until: float) -> None:
        """Let no pause be longer."""
        for batch in self._later:
            batch.not_before = min(batch.not_before, until)

    def end_epoch(self) -> int:
        """End the present epoch; return it."""
        self.epoch += 1
        return self.epoch - 1

    def is_settled(self, epoch: int) -> bool:
        """Whether all of an epoch, and of those before it, is settled."""
        return all(other > epoch for other, batches in self._unsettled.items() if batches)

    def pauses_end_at(self) -> Iterable[float]:
        """When each pause ends."""
        return [batch.not_before for batch in self._later]

    def begun_at(self) -> Iterable[float]:
        """When the oldest were begun."""
        return [batch.since for batch in [*self._later, *([self._ready[0]] if self._ready else [])]]
