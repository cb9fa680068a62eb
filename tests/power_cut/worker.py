"""A worker's appender, driven step by step: the real group commit and its answers, without a thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from sluice.log.appender import SegmentAppender
from sluice.log.ports import LogUnavailable
from sluice.log.segment import LOG_FOLDER
from tests.power_cut.history import Failed, History
from tests.power_cut.ledger import Answer, Answered, Attempt
from tests.support.log_records import HOUR_US, Clock, entry

# 2026-01-31T07:30Z
FIRST_TIME_US = 1_769_844_600_000_000

_MENDED_WITHIN_S = 10.0


class AtOnce:
    """In place of the appender's JobThread: work is done where it is asked for, so that runs can be repeated."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        del name
        self._loop = loop

    def do(self, work: Callable[[], None]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        try:
            work()
        except Exception as exc:  # noqa: BLE001  as JobThread does
            done.set_exception(exc)
        else:
            done.set_result(None)
        return done

    def end(self) -> None:
        pass


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
        self._loop = asyncio.new_event_loop()
        self._appender = SegmentAppender(
            data_dir / LOG_FOLDER,
            node,
            seal_age_s=3600,
            seal_size_bytes=seal_size_bytes,
            queue_bytes=1 << 20,
            min_free_bytes=0,
            clock=self.clock,
        )
        try:
            self._loop.run_until_complete(self._appender.start())
        except SystemExit:
            self.die()
            raise

    def send(self, *attempts: Attempt) -> None:
        """Send requests at the same time, which are committed together, and keep what each is answered."""
        for attempt in attempts:
            self._history.note(Answered(attempt, Answer.UNANSWERED))
        mark = len(self._history.entries)
        self._run(asyncio.gather, *(self._send(attempt, mark) for attempt in attempts))

    def seal(self) -> None:
        """As `sluice flush` has it done."""
        self._run(self._appender.seal)

    def pass_an_hour(self) -> None:
        """Let its clock go on; the next record finds its segment due."""
        self.clock.us += HOUR_US

    def mend(self) -> None:
        """Wait until it takes records again; what it could not cut off is cut off then."""
        self._run(self._until_healthy)
        for attempt in self._doubtful:
            self._history.note(Answered(attempt, Answer.REFUSED))
        self._doubtful.clear()

    def close(self) -> None:
        """Seal and end, as a drain has it done."""
        self._run(self._appender.close)
        self._end()

    def die(self) -> None:
        """End as by SIGKILL: nothing more is done to the disk, and the kernel gives the locks back."""
        if self._loop.is_closed():
            return
        if self._appender._task is not None:
            self._appender._task.cancel()
        for segment in (self._appender._writer.open, self._appender._writer._leaving):
            if segment is not None:
                segment._file.close()
        self._end()

    @property
    def is_over(self) -> bool:
        """Whether it died, or closed."""
        return self._loop.is_closed()

    def _run(self, what: Callable[..., object], *arguments: object) -> None:
        async def work() -> None:
            await what(*arguments)  # type: ignore[misc]  each is a coroutine function

        try:
            self._loop.run_until_complete(work())
        except SystemExit:
            self.die()
            raise

    def _end(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        while asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _send(self, attempt: Attempt, mark: int) -> None:
        try:
            await self._appender.append(entry(attempt.body, event_count=attempt.events))
        except LogUnavailable:
            if self._could_not_cut(self._history.entries[mark:]):
                self._doubtful.append(attempt)
            else:
                self._history.note(Answered(attempt, Answer.REFUSED))
        else:
            self._history.note(Answered(attempt, Answer.ACKNOWLEDGED))

    def _could_not_cut(self, entries: Sequence[object]) -> bool:
        return any(
            isinstance(e, Failed)
            and e.operation.verb in ("truncate", "sync")
            and "/open/" in e.operation.path
            and f"-{self.node}-" in e.operation.path
            for e in entries
        )

    async def _until_healthy(self) -> None:
        async with asyncio.timeout(_MENDED_WITHIN_S):
            while not self._appender.healthy:  # noqa: ASYNC110  the appender tells nobody when it mends
                await asyncio.sleep(0.001)
