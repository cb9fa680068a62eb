"""The lake writer: the one process that turns sealed segments into files of the lake.

    python -m sluice.lake.writer JSON        a WriterConfig

SIGTERM: publish all that is sealed, then exit 0 (1 if that fails). A second one ends it at once; nothing is lost.
SIGUSR1: for the next 2 s publish whatever is sealed, without waiting for size or age.
When the supervisor is gone, the file in hand is finished and the process exits 0.

What can't be done now is done later: a full disk, an unreadable segment or a broken file in the lake delays it, and the
messages say so. Any other error ends the process with 1, wrong arguments with 2. The supervisor then knows by
`staging.segments_in_hand` which segments were being decoded, and passes what it knows to the next writer.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from sluice import telemetry
from sluice.lake import metrics
from sluice.lake.config import WriterConfig
from sluice.lake.load import SegmentUnreadable
from sluice.lake.niceness import be_nice
from sluice.lake.parquet import UnreadableFile
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER
from sluice.lake.plan import Suspects, next_file
from sluice.lake.publish import Lake, Publication, let_go_of_published, publish
from sluice.lake.published import Published
from sluice.lake.staging import Staging
from sluice.log.backlog import pause_after_look
from sluice.log.ports import DamageReason
from sluice.log.reader import LocalSegments
from sluice.log.segment import LOG_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.errors import SluiceError
    from sluice.log.ports import Sealed, SealedSegments

__all__ = ["MAX_DEATHS", "LakeWriter", "Outcome", "main"]

# A segment that took this many writers with it is moved to log/damaged/.
MAX_DEATHS = 3

_POLL_S = 0.25
_ASKED_S = 2.0
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0
_DRAIN_TRIES = 3

_messages = telemetry.messages_of("lake")


class Outcome(Enum):
    """What one turn of the loop came to."""

    IDLE = "idle"
    PUBLISHED = "published"
    FAILED = "failed"


class LakeWriter:
    """The loop's one turn: look at what is sealed, publish at most one file.

    Args:
        config: the writer's values.
        log: where segments come from.
    """

    def __init__(self, config: WriterConfig, log: SealedSegments) -> None:
        data_dir = Path(config.data_dir)
        table = data_dir / LAKE_FOLDER / EVENTS_FOLDER
        self._config = config
        self._log = log
        self._lake = Lake(
            data_dir=data_dir, table=table, staging=Staging(data_dir), published=Published(table), log=log
        )
        self._condemned = {id_ for id_, deaths in config.blamed.items() if deaths >= MAX_DEATHS}
        self._suspects = Suspects(alone=frozenset(config.blamed), last=frozenset(config.last))

    def prepare(self) -> None:
        """Make the staging folder; remove what a killed predecessor left there.

        Raises:
            OSError: it can't be made.
        """
        self._lake.staging.prepare()

    def run_once(self, now: float, *, at_once: bool = False) -> Outcome:
        """Publish one file, if one is due.

        Args:
            now: seconds since the epoch.
            at_once: whatever is sealed is due.
        """
        try:
            waiting = self._waiting()
            while True:
                chosen = next_file(
                    waiting,
                    now=now,
                    size_bytes=self._config.lake_size_bytes,
                    age_s=self._config.lake_age_s,
                    at_once=at_once,
                    suspects=self._suspects,
                )
                if not chosen:
                    return Outcome.IDLE
                hour = chosen[0].hour
                try:
                    ids = self._lake.published.ids(hour)
                except UnreadableFile as exc:
                    self._failed(exc)
                    waiting = [segment for segment in waiting if segment.hour != hour]
                    continue
                if held := [segment for segment in waiting if segment.hour == hour and segment.id in ids]:
                    let_go_of_published(held, self._lake)
                    _messages.info("segments were in the lake already", segments=len(held), hour=hour)
                else:
                    self._count(publish(chosen, self._lake))
                return Outcome.PUBLISHED
        except SegmentUnreadable as exc:
            # It must not hold up the others.
            self._suspects = Suspects(alone=self._suspects.alone, last=self._suspects.last | {exc.segment.id})
            self._failed(exc)
        except OSError as exc:
            self._failed(exc)
        self._lake.published.forget()
        return Outcome.FAILED

    def _waiting(self) -> list[Sealed]:
        waiting = self._log.waiting()
        for segment in [segment for segment in waiting if segment.id in self._condemned]:
            self._condemn(segment)
            waiting.remove(segment)
        self._lake.published.keep_only({segment.hour for segment in waiting})
        return waiting

    def _condemn(self, segment: Sealed) -> None:
        deaths = self._config.blamed[segment.id]
        detail = f"the lake writer died {deaths} times while decoding it"
        self._log.set_aside_whole(segment, DamageReason.KILLS_THE_WRITER, detail)

    @staticmethod
    def _count(done: Publication) -> None:
        assert done.loaded is not None
        metrics.SEGMENTS.inc(len(done.segments))
        metrics.SECONDS.labels("decode").inc(done.loaded.decode_s)
        metrics.SECONDS.labels("encode").inc(done.loaded.encode_s)
        metrics.SECONDS.labels("publish").inc(sum(s for name, s in done.seconds.items() if name != "write"))
        if done.loaded.rows:
            metrics.ROWS.inc(done.loaded.rows)
            metrics.FILES.inc()
            metrics.BYTES.inc(done.size_bytes)
        _messages.info(
            "file published",
            file=done.target.name,
            rows=done.loaded.rows,
            segments=len(done.segments),
            bytes=done.size_bytes,
        )
        # What decoding took is not kept for the next file, which may be hours away.
        pa.default_memory_pool().release_unused()

    @staticmethod
    def _failed(error: OSError | SluiceError) -> None:
        metrics.FAILURES.inc()
        _messages.error("nothing lost, but not published", error=str(error), hint=getattr(error, "hint", ""))


class _Loop:
    """The loop around `LakeWriter.run_once`, and what ends it."""

    def __init__(self, writer: LakeWriter, lifeline_fd: int | None) -> None:
        self._writer = writer
        self._lifeline_fd = lifeline_fd
        self._wake_read, self._wake_write = os.pipe()
        self._asked_until = 0.0
        self._draining = False

    def listen(self) -> None:
        """Take signals from now on; the supervisor may have held them back until here."""
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGUSR1, self._on_sigusr1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR1})

    def run(self) -> int:
        """Publish until told to stop; return the exit code."""
        failures = 0
        while True:
            draining = self._draining
            began = time.monotonic()
            outcome = self._writer.run_once(time.time(), at_once=draining or time.monotonic() < self._asked_until)
            if outcome is Outcome.FAILED:
                failures += 1
                if draining and failures == _DRAIN_TRIES:
                    return 1
                wait_s = min(_FIRST_RETRY_S * 2 ** (failures - 1), _LAST_RETRY_S)
            elif outcome is Outcome.IDLE and draining:
                return 0
            else:
                failures = 0
                took_s = time.monotonic() - began
                wait_s = pause_after_look(took_s, at_least_s=_POLL_S) if outcome is Outcome.IDLE else 0.0
            if not self._wait(wait_s):
                return 0

    def _wait(self, seconds: float) -> bool:
        """Wait for the time, or a signal; False when the supervisor is gone."""
        watched = [self._wake_read, *([] if self._lifeline_fd is None else [self._lifeline_fd])]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        return self._lifeline_fd not in ready

    def _on_sigterm(self, _number: int, _frame: object) -> None:
        self._draining = True
        # The next one ends the process wherever it is: every step of publishing can be repeated.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _on_sigusr1(self, _number: int, _frame: object) -> None:
        self._asked_until = time.monotonic() + _ASKED_S


def main(arguments: Sequence[str]) -> int:
    """Run the process; return its exit code."""
    if len(arguments) != 1:
        sys.stderr.write("error: one argument is needed, a JSON object\n")
        return 2
    try:
        config = msgspec.json.decode(arguments[0], type=WriterConfig)
    except msgspec.MsgspecError as exc:
        sys.stderr.write(f"error: the argument is no lake writer's configuration: {exc}\n")
        return 2
    telemetry.configure(role="lake")
    be_nice()
    writer = LakeWriter(config, LocalSegments(Path(config.data_dir) / LOG_FOLDER, archive=config.archive))
    loop = _Loop(writer, config.lifeline_fd)
    loop.listen()
    try:
        writer.prepare()
    except OSError as exc:
        _messages.error("lake writer failed", error=str(exc))
        return 1
    return loop.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
