"""A worker's appender, driven step by step: the real group commit and its answers, without a thread of its own."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sluice.log.appender import SegmentAppender
from sluice.log.ports import LogUnavailable
from sluice.log.segment import LOG_FOLDER
from tests.power_cut.history import Failed, History
from tests.power_cut.ledger import Answer, Answered, Attempt
from tests.support.log_records import HOUR_US, Clock, entry

# 2026-01-31T07:30Z
FIRST_TIME_US = 1_769_844_600_000_000

_TRIES = 100


class Worker:
    """One ingest worker, as far as the log is concerned.

    Args:
        data_dir: the data folder.
        node: its name in ids; letters and digits.
        history: learns what its callers are told.
        seal_size_bytes: when a segment is sealed; small, so that one batch may do it.
    """

    def __init__(self, data_dir: Path, node: str, history: History, *, seal_size_bytes: int = 1 << 20) -> None:
        self.node = node
        self.clock = Clock(FIRST_TIME_US)
        self._history = history
        self._doubtful: list[Attempt] = []
        self._is_over = False
        self._appender = SegmentAppender(
            data_dir / LOG_FOLDER,
            node,
            seal_age_s=3600,
            seal_size_bytes=seal_size_bytes,
            queue_bytes=1 << 20,
            min_free_bytes=0,
            clock=self.clock,
        )
        self._do(self._appender.begin)

    def send(self, *attempts: Attempt) -> None:
        """Send requests at the same time, which are committed together, and keep what each is answered."""
        for attempt in attempts:
            self._history.note(Answered(attempt, Answer.UNANSWERED))
        mark = len(self._history.entries)
        for attempt in attempts:
            done = partial(self._answered, attempt, mark)
            try:
                self._appender.put(entry(attempt.body, event_count=attempt.events), done)
            except LogUnavailable:
                done(False)
        self._do_what_is_to_be_done()

    def seal(self) -> None:
        """As `sluice flush` has it done."""
        self._appender.ask_to_seal(lambda _: None)
        self._do_what_is_to_be_done()

    def pass_an_hour(self) -> None:
        """Let its clock go on; the next record finds its segment due."""
        self.clock.us += HOUR_US

    def mend(self) -> None:
        """Wait until it takes records again; what it could not cut off is cut off then."""
        for _ in range(_TRIES):
            if self._appender.healthy:
                break
            self._do(self._appender.turn)
        assert self._appender.healthy
        for attempt in self._doubtful:
            self._history.note(Answered(attempt, Answer.REFUSED))
        self._doubtful.clear()

    def close(self) -> None:
        """Seal and end, as a drain has it done."""
        self._appender.begin_close()
        while self._do(self._appender.turn):
            pass
        self._do(self._appender.end)
        self._is_over = True

    def die(self) -> None:
        """End as by SIGKILL: nothing more is done to the disk, and the kernel gives the locks back."""
        if self._is_over:
            return
        for segment in (self._appender._writer.open, self._appender._writer._leaving):
            if segment is not None:
                segment._file.close()
        self._is_over = True

    @property
    def is_over(self) -> bool:
        """Whether it died, or closed."""
        return self._is_over

    def _do_what_is_to_be_done(self) -> None:
        # A disk that refuses is tried again where the history says so: mend().
        while self._appender.healthy and self._do(self._appender.turn):
            pass

    def _do(self, what: Callable[[], object]) -> object:
        try:
            return what()
        except SystemExit:
            self.die()
            raise

    def _answered(self, attempt: Attempt, mark: int, is_durable: bool) -> None:
        if is_durable:
            self._history.note(Answered(attempt, Answer.ACKNOWLEDGED))
        elif self._could_not_cut(self._history.entries[mark:]):
            self._doubtful.append(attempt)
        else:
            self._history.note(Answered(attempt, Answer.REFUSED))

    def _could_not_cut(self, entries: Sequence[object]) -> bool:
        return any(
            isinstance(e, Failed)
            and e.operation.verb in ("truncate", "sync")
            and "/open/" in e.operation.path
            and f"-{self.node}-" in e.operation.path
            for e in entries
        )
