"""The client without input and output: what is batched, sent, tried again, settled, and when.

Both fronts (sync.py, aio.py) drive one of these: they hand over encoded events, ask for the next step and do it, and
tell what a call came to. Time is an argument everywhere; nothing here waits, and nothing is thread-safe.

    open ──full, or lingered──► ready ──► in flight ──Delivered──► settled
                                  ▲           │ Refused
      leftovers of the spool ─────┤           ├──► events at fault: dropped, told; the others: new batches, ready
                                  │           │ Later
                                  └─ later ◄──┘ after a pause of its own; all wait while the client backs off

A batch leaves its store only when it is settled. So what is logged is in one place always: waiting, delivered or told.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, assert_never

from sluice.client.answer import Delivered, Later, Refused
from sluice.client.backoff import Backoff
from sluice.client.batch import Batch
from sluice.client.errors import SpoolError
from sluice.client.ledger import Ledger
from sluice.client.narrow import narrow
from sluice.client.report import Dropped, Reason, Trouble
from sluice.client.settings import REQUEST_TAIL_BYTES
from sluice.client.steps import Mark, Send, Step, Sync, Wait
from sluice.client.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sluice.client.answer import Answer
    from sluice.client.errors import NotDelivered
    from sluice.client.report import Stats
    from sluice.client.settings import Settings
    from sluice.client.store import Store

__all__ = ["Core"]

# Of answers that no Sluice gives; with the pauses between them that is some minutes.
_MOST_STRANGE_TRIES = 10
# Between two tries of one batch: a disk that fails is not asked again and again.
_SHORTEST_PAUSE_S = 0.05


class Core:
    """One client's state. The present is told in seconds of any clock that never runs backwards.

    Args:
        settings: how it works.
        store: where events wait.
        draw: a random number from 0 to 1, for the pauses.
    """

    def __init__(self, settings: Settings, store: Store, *, draw: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._store = store
        self._backoff = Backoff(first_s=settings.first_backoff_s, longest_s=settings.longest_backoff_s, draw=draw)
        self._waiting = Waiting(store.leftovers)
        self._sync_at: float | None = None
        # Of a batch. Less than the setting says, once the server has said that it takes less.
        self._most_bytes = settings.most_event_bytes
        self.ledger = Ledger()

    # What callers do.

    def room_for(self, encoded: Sequence[bytes]) -> bool:
        """Whether these events can be taken now."""
        return self._store.room_for(len(encoded), sum(map(len, encoded)))

    def put(self, encoded: Sequence[bytes], now: float) -> bool:
        """Take events for which there is room; return whether the next step may now be another.

        Raises:
            SpoolError: the disk failed; how many of them were taken says `taken_events`.
        """
        taken, changed = 0, False
        try:
            while taken < len(encoded):
                opened = self._waiting.open is None
                batch = self._waiting.open or self._waiting.begin(now)
                fitting = self._fitting(batch, encoded, taken)
                self._append(batch, encoded[taken : taken + fitting])
                taken += fitting
                full = taken < len(encoded) or batch.events >= self._settings.batch_events
                if full:
                    self._waiting.cut()
                changed = changed or opened or full
        except SpoolError as exc:
            exc.taken_events = taken
            raise
        finally:
            self.ledger.logged += taken
        if self._sync_at is None and self._store.survives and self._settings.spool_sync_s:
            self._sync_at, changed = now + self._settings.spool_sync_s, True
        return changed

    def begin_flush(self, now: float) -> Mark:
        """All that was logged before is to be delivered now."""
        self._waiting.cut()
        self._backoff.hurry(now)
        self._waiting.hurry(until=max(now, self._backoff.resume_at))
        return Mark(self._waiting.end_epoch(), self.ledger.failed_tries)

    def is_flushed(self, mark: Mark) -> bool:
        """Whether all that was logged before the mark is settled."""
        return self._waiting.is_settled(mark.epoch)

    def is_hopeless(self, mark: Mark) -> bool:
        """Whether a try since the mark has shown that somebody must mend something first."""
        trouble = self.ledger.trouble
        return trouble is not None and trouble.needs_you and self.ledger.failed_tries > mark.failed_tries

    def not_delivered(self, mark: Mark, *, kept: bool = False) -> NotDelivered | None:
        """What a flush has to tell of events that wait or were dropped, each of the latter once; None: nothing.

        Args:
            mark: when the flush began.
            kept: those that wait are nothing to tell of: they outlive the client.
        """
        if kept or self.is_flushed(mark):
            return self.ledger.not_delivered(waiting=0, leftovers=0)
        return self.ledger.not_delivered(waiting=self.ledger.waiting, leftovers=self._store.leftovers)

    def stats(self) -> Stats:
        """The figures as they are now."""
        return self.ledger.stats(
            waiting_bytes=self._store.size,
            batches_in_flight=len(self._waiting.in_flight),
            batches_spooled=self._store.batches,
        )

    # What the front does.

    def next_step(self, now: float) -> Step:
        """What is to be done now. Ask again after each step, each answer, and each call that asks for it."""
        for old in self._waiting.take_begun_before(now - self._settings.give_up_after_s):
            self._drop(old, Reason.GAVE_UP)
        if self._sync_at is not None and now >= self._sync_at:
            self._sync_at = None
            return Sync()
        while self._has_slot() and now >= self._backoff.resume_at and (batch := self._take(now)) is not None:
            try:
                encoded = self._store.read(batch.key)
            except SpoolError as exc:
                self._put_off(batch, self._spool_failed(exc), now)
                continue
            self.ledger.retries += batch.tries > 0
            batch.tries += 1
            batch.tried_at = now
            self._waiting.in_flight[batch.key] = batch
            return Send(batch, encoded)
        return Wait(self._seconds_until_next(now))

    def answered(self, batch: Batch, answer: Answer, now: float) -> None:
        """Tell what a call came to."""
        if self._waiting.in_flight.pop(batch.key, None) is None:
            return  # the client has ended meanwhile
        match answer:
            case Delivered():
                self._server_answers()
                self.ledger.delivered += batch.events
                self.ledger.found_invalid(answer.set_aside)
                self._settle(batch)
            case Refused():
                self._server_answers()
                if answer.most_bytes is not None:
                    self._most_bytes = min(self._most_bytes, max(answer.most_bytes - REQUEST_TAIL_BYTES, 0))
                self._narrow(batch, answer, now)
            case Later():
                self._failed(batch, answer, now)
            case _:
                assert_never(answer)

    def sync_failed(self, error: SpoolError, now: float) -> None:
        """Tell that a step `Sync` has failed; it is tried again."""
        self._spool_failed(error)
        self._sync_at = now + self._settings.spool_sync_s

    def abandon(self) -> None:
        """The client ends: what a store doesn't keep beyond the process is dropped."""
        if self._store.survives:
            return
        for batch in self._waiting.in_flight.values():
            batch.may_be_stored = True
        for batch in self._waiting.take_all():
            self._drop(batch, Reason.CLOSED)

    # How it is done.

    def _fitting(self, batch: Batch, encoded: Sequence[bytes], start: int) -> int:
        """How many of the events from `start` on the batch has room for; an empty one has it for at least one."""
        events, size = batch.events, batch.size
        for index in range(start, len(encoded)):
            size += len(encoded[index])
            if events and (events >= self._settings.batch_events or size > self._most_bytes):
                return index - start
            events += 1
        return len(encoded) - start

    def _append(self, batch: Batch, encoded: Sequence[bytes]) -> None:
        if encoded:
            self._store.append(batch.key, encoded)
            batch.events += len(encoded)
            batch.size += sum(map(len, encoded))

    def _has_slot(self) -> bool:
        most = 1 if self._backoff.failures else self._settings.in_flight
        return len(self._waiting.in_flight) < most

    def _take(self, now: float) -> Batch | None:
        """The batch that is sent next. The open one is cut only when it could be sent: it collects in the meantime."""
        while not self._waiting.has_ready and self._store.leftovers:
            self._load_leftovers(now)
        if (due := self._waiting.take(now)) is not None:
            return due
        opened = self._waiting.open
        if opened is not None and now >= opened.since + self._settings.linger_s:
            self._waiting.cut()
        return self._waiting.take(now)

    def _load_leftovers(self, now: float) -> None:
        try:
            found = self._store.next_leftovers()
        except SpoolError as exc:
            self._spool_failed(exc)
            found = {}
        self.ledger.recovered += sum(map(len, found.values()))
        # The client that is gone may have sent them.
        batches = [
            Batch(key=key, epoch=0, since=now, events=len(events), size=sum(map(len, events)), may_be_stored=True)
            for key, events in found.items()
        ]
        self._waiting.found(batches)

    def _failed(self, batch: Batch, answer: Later, now: float) -> None:
        # A server that doesn't know the caller hasn't looked at the events.
        batch.may_be_stored = batch.may_be_stored or not answer.needs_you
        batch.last = f"{answer.code}: {answer.message}"
        self._backoff.failed(started_at=batch.tried_at, now=now, asked_s=answer.delay_s)
        self.ledger.failing(Trouble(code=answer.code, message=answer.message, needs_you=answer.needs_you))
        if answer.for_ever or batch.tries < _MOST_STRANGE_TRIES:
            self._put_off(batch, batch.last, now)
        else:
            self._drop(batch, Reason.GAVE_UP)

    def _narrow(self, batch: Batch, refused: Refused, now: float) -> None:
        try:
            narrowed = narrow(self._store.read(batch.key), refused)
            dropped = [
                Dropped(encoded=out.encoded, reason=Reason.REFUSED, path=out.path, message=out.message)
                for out in narrowed.out
            ]
            parts = [Batch(epoch=batch.epoch, since=batch.since) for _ in narrowed.again]
            again = dict(zip([part.key for part in parts], narrowed.again, strict=True))
            self._store.keep_refused(dropped)
            if parts:
                self._store.divide(batch.key, again)
        except SpoolError as exc:
            # Nothing has changed but that some may be noted twice as refused.
            self._put_off(batch, self._spool_failed(exc), now)
            return
        self.ledger.dropped(dropped)
        if not parts:
            self._settle(batch)
            return
        for part in parts:
            part.events, part.size = len(again[part.key]), sum(map(len, again[part.key]))
        self._waiting.replace(batch, parts)

    def _put_off(self, batch: Batch, why: str, now: float) -> None:
        batch.last = why
        self._waiting.put_off(batch, until=now + max(self._backoff.pause_s(batch.tries), _SHORTEST_PAUSE_S))

    def _drop(self, batch: Batch, reason: Reason) -> None:
        dropped: list[Dropped] = []
        try:
            dropped = [
                Dropped(encoded=event, reason=reason, message=batch.last, may_be_stored=batch.may_be_stored)
                for event in self._store.read(batch.key)
            ]
            self._store.keep_refused(dropped)
        except SpoolError as exc:
            self._spool_failed(exc)
        self.ledger.dropped(dropped)
        self.ledger.lost(batch.events - len(dropped))
        self._settle(batch)

    def _settle(self, batch: Batch) -> None:
        try:
            self._store.remove(batch.key)
        except SpoolError as exc:
            self._spool_failed(exc)
        self._waiting.forget(batch)

    def _server_answers(self) -> None:
        self._backoff.succeeded()
        self.ledger.answering()

    def _spool_failed(self, error: SpoolError) -> str:
        self.ledger.news.append(Trouble(code="SPOOL", message=error.message, needs_you=True))
        return error.message

    def _seconds_until_next(self, now: float) -> float | None:
        moments = [since + self._settings.give_up_after_s for since in self._waiting.begun_at()]
        if self._sync_at is not None:
            moments.append(self._sync_at)
        if self._has_slot():
            sendable = [*self._waiting.pauses_end_at()]
            if self._waiting.has_ready or self._store.leftovers:
                sendable.append(now)
            elif self._waiting.open is not None:
                sendable.append(self._waiting.open.since + self._settings.linger_s)
            if sendable:
                moments.append(max(min(sendable), self._backoff.resume_at))
        return max(0.0, min(moments) - now) if moments else None
