"""What a client keeps account of: figures, the trouble it is in, and what its caller has still to be told."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, TypeAlias

from sluice.client.errors import NotDelivered
from sluice.client.report import Dropped, Reason, SetAside, Stats, Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Ledger", "News"]

# Kept for the next flush to tell; all are counted, and each is news.
_MOST_UNTOLD = 100

News: TypeAlias = Dropped | Trouble | SetAside


class Ledger:
    """One client's account, in events.

    Attributes:
        trouble: why deliveries fail at present.
        news: what the callbacks and the log are to be told; the front takes it from the left.
        failed_tries: how many tries have failed.
    """

    def __init__(self) -> None:
        self._untold: list[Dropped] = []
        self._untold_events = 0
        self._given_up: Counter[Reason] = Counter()
        self.logged = 0
        self.recovered = 0
        self.delivered = 0
        self.set_aside = 0
        self.retries = 0
        self.failed_tries = 0
        self.trouble: Trouble | None = None
        self.news: deque[News] = deque()

    @property
    def waiting(self) -> int:
        """Events that are not settled."""
        return self.logged + self.recovered - self.delivered - self._given_up.total()

    def dropped(self, dropped: Sequence[Dropped]) -> None:
        """These events will not be tried again."""
        self.news.extend(dropped)
        self._untold += dropped[: _MOST_UNTOLD - len(self._untold)]
        self._untold_events += len(dropped)
        for one in dropped:
            self._given_up[one.reason] += 1

    def lost(self, events: int) -> None:
        """So many events can't be read from the spool any more; a trouble has told of it."""
        self._given_up[Reason.GAVE_UP] += events
        self._untold_events += events

    def found_invalid(self, events: int) -> None:
        """So many of the events that were delivered are set aside at the server."""
        if events:
            self.set_aside += events
            self.news.append(SetAside(events))

    def failing(self, trouble: Trouble) -> None:
        """A try has failed; it is news if the last one did not fail so."""
        self.failed_tries += 1
        if self.trouble is None or self.trouble.code != trouble.code:
            self.news.append(trouble)
        self.trouble = trouble

    def answering(self) -> None:
        """The server has answered."""
        self.trouble = None

    def not_delivered(self, *, waiting: int, leftovers: int) -> NotDelivered | None:
        """What there is to tell of dropped events, each once, and of so many that wait; None: nothing."""
        if not waiting and not leftovers and not self._untold_events:
            return None
        error = NotDelivered(
            waiting_events=waiting,
            waiting_leftovers=leftovers,
            undelivered=tuple(dropped.undelivered() for dropped in self._untold),
            undelivered_events=self._untold_events,
            trouble=self.trouble,
        )
        self._untold, self._untold_events = [], 0
        return error

    def stats(self, *, waiting_bytes: int, batches_in_flight: int, batches_spooled: int) -> Stats:
        """The figures as they are now."""
        return Stats(
            logged=self.logged,
            recovered=self.recovered,
            delivered=self.delivered,
            set_aside=self.set_aside,
            refused=self._given_up[Reason.REFUSED],
            given_up=self._given_up[Reason.GAVE_UP] + self._given_up[Reason.CLOSED],
            waiting=self.waiting,
            waiting_bytes=waiting_bytes,
            batches_in_flight=batches_in_flight,
            retries=self.retries,
            batches_spooled=batches_spooled,
        )
