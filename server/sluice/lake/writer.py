"""The lake writer: the one process that turns sealed segments into files of the lake, of both tables in turn.

    python -m sluice.lake.writer JSON        a WriterConfig

SIGTERM: publish all that is sealed, then exit 0 (1 if that fails). A second one ends it at once; nothing is lost.
SIGUSR1: for the next 2 s publish whatever is sealed, without waiting for size or age.
When the supervisor is gone, the file in hand is finished and the process exits 0.

What can't be done now is done later: a full disk, an unreadable segment or a broken file in the lake delays it, and the
messages say so. Any other error, or another data folder than the supervisor's, ends the process with 1, wrong arguments
with 2. The supervisor then knows by `staging.segments_in_hand` which segments were being decoded, and passes what it
knows to the next writer.
"""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from sluice import disk, metering, telemetry
from sluice.anchor import require_folders
from sluice.lake import metrics
from sluice.lake.config import WriterConfig
from sluice.lake.failing import PublishFailed, failing
from sluice.lake.load import SegmentUnreadable
from sluice.lake.metrics import Failure
from sluice.lake.native.ready import COMPILED
from sluice.lake.parquet import UnreadableFile
from sluice.lake.partition import LAKE_FOLDER, REJECTS_FOLDER
from sluice.lake.plan import Suspects, next_file
from sluice.lake.publish import Lake, Publication, let_go_of_published, publish
from sluice.lake.published import Published
from sluice.lake.staging import Staging
from sluice.lake.troubles import Troubles
from sluice.lake.turns import Loop, Outcome
from sluice.lake.written_tables import written_tables
from sluice.log.ports import DamageReason
from sluice.log.refused import KEEPS_FREE_TIMES
from sluice.log.segment import LOG_FOLDER
from sluice.niceness import be_nice
from sluice.outage import hint_of
from sluice.shut_out import shut_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sluice.lake.written_tables import WrittenTable
    from sluice.log.ports import Sealed

__all__ = ["MAX_DEATHS", "LakeWriter", "Outcome", "main"]

# A segment that took this many writers with it is moved to log/damaged/.
MAX_DEATHS = 3

# Some 0.2 s of decoding: who decodes less has no use for what is compiled.
_EVENTS_WORTH_COMPILING = 30_000

# Of what must stay free on the disk.
_NEAR = 1.1

# How long until it is tried again to set aside what can't be.
_SET_ASIDE_AGAIN_S = 10.0

# Steps whose failure another segment, or another hour, need not share.
_OF_A_SEGMENT = (Failure.SET_ASIDE, Failure.LET_GO)
_OF_AN_HOUR = (Failure.MAKE_FOLDERS, Failure.MOVE, Failure.SYNC_FOLDER, Failure.SYNC_PARENTS)

_messages = telemetry.messages_of("lake")


class LakeWriter:
    """The loop's one turn: look at what is sealed, publish at most one file.

    Args:
        config: the writer's values.
        source: the table that is written.
        staging: of all tables of the process; None: there is no other.
    """

    def __init__(self, config: WriterConfig, source: WrittenTable, staging: Staging | None = None) -> None:
        data_dir = Path(config.data_dir)
        table = data_dir / LAKE_FOLDER / source.name
        self._config = config
        self._limits = (config.max_log_bytes, config.min_free_bytes)
        if source.name == REJECTS_FOLDER:
            self._limits = (config.max_rejects_log_bytes, KEEPS_FREE_TIMES * config.min_free_bytes)
        self._log = source.log
        self._figures = source.figures
        self._lake = Lake(
            data_dir=data_dir,
            table=table,
            source=source,
            staging=staging or Staging(data_dir),
            published=Published(table),
        )
        self._condemned = {id_ for id_, deaths in config.blamed.items() if deaths >= MAX_DEATHS}
        self._suspects = Suspects(alone=frozenset(config.blamed), last=config.last)
        self._troubles = Troubles(source.name)
        self._is_prepared = False
        self._file_bytes = config.lake_size_bytes
        # Segments that must not be decoded wait for their removal, and when that is tried again.
        self._left_apart = False
        self._set_aside_at_s = 0.0
        self.leaves_some = False
        """Whether something waits that was not due, or can't be published, when the writer came to rest."""

    def prepare(self) -> None:
        """Make the staging folder; remove what a killed predecessor left there.

        Raises:
            OSError: it can't be made.
        """
        self._lake.staging.prepare()
        self._is_prepared = True

    def run_once(self, now: float, *, at_once: bool = False) -> Outcome:
        """Publish one file, if one is due.

        Args:
            now: seconds since the epoch.
            at_once: whatever is sealed is due.
        """
        try:
            if not self._is_prepared:
                with failing(Failure.STAGING):
                    self.prepare()
            return self._publish_next(now, at_once=at_once)
        except SegmentUnreadable as exc:
            if exc.is_its_own:
                # It must not hold up the others.
                self._suspects = replace(self._suspects, last=_with_at_end(self._suspects.last, exc.segment.id))
            self._troubles.unreadable(exc.segment.id, Failure.UNREADABLE_SEGMENT, exc)
        except PublishFailed as exc:
            self._troubles.failed(exc)
        # What it left half done is removed before the next try; and by then the lake's folder may be another one.
        self._is_prepared = False
        self._lake.published.forget()
        return Outcome.FAILED

    def _publish_next(self, now: float, *, at_once: bool) -> Outcome:
        all_waiting = waiting = self._waiting()
        at_once = at_once or self._fills_the_log(waiting)
        while True:
            among = self._without_failed(waiting)
            chosen = self._choose(among, now, at_once=at_once)
            if not chosen:
                among = waiting
                chosen = self._choose(among, now, at_once=at_once)
            if not chosen:
                self.leaves_some = self._left_apart or bool(all_waiting)
                if not self.leaves_some:
                    self._troubles.nothing_waits()
                else:
                    self._troubles.folders_are_there()
                return Outcome.IDLE
            hour = chosen[0].hour
            try:
                ids = self._lake.published.ids(hour)
            except UnreadableFile as exc:
                self._troubles.unreadable(hour, Failure.UNREADABLE_FILE, exc)
                waiting = [segment for segment in waiting if segment.hour != hour]
                continue
            self._troubles.readable(hour)
            held = [segment for segment in among if segment.hour == hour and segment.id in ids]
            with _blaming(held or chosen):
                if held:
                    let_go_of_published(held, self._lake)
                    _messages.info("segments were in the lake already", segments=len(held), hour=hour)
                else:
                    self._publish(chosen)
            self._troubles.published(hour, *(segment.id for segment in held or chosen))
            return Outcome.PUBLISHED

    def _without_failed(self, waiting: Sequence[Sealed]) -> list[Sealed]:
        failed = self._troubles.failed_for
        return [segment for segment in waiting if segment.hour not in failed and segment.id not in failed]

    def _choose(self, waiting: Sequence[Sealed], now: float, *, at_once: bool) -> list[Sealed]:
        return next_file(
            waiting,
            now=now,
            size_bytes=self._file_bytes,
            age_s=self._config.lake_age_s,
            at_once=at_once,
            suspects=self._suspects,
        )

    def _fills_the_log(self, waiting: Sequence[Sealed]) -> bool:
        """Whether the log soon takes nothing for what waits: then callers are refused while it waits to be due."""
        limit_bytes, min_free_bytes = self._limits
        if limit_bytes is not None and sum(segment.size_bytes for segment in waiting) > limit_bytes / 2:
            return True  # what is still open takes of it, too
        try:
            free_bytes = disk.free_bytes(Path(self._config.data_dir) / LOG_FOLDER) if waiting else None
        except OSError:
            return False  # whoever writes there knows more of it
        return free_bytes is not None and free_bytes < _NEAR * min_free_bytes

    def _publish(self, chosen: Sequence[Sealed]) -> None:
        try:
            done = publish(chosen, self._lake)
        except PublishFailed as exc:
            if exc.no_room:
                # A smaller file may find room, and lets go of segments that take more than it does.
                self._file_bytes = max(1, sum(segment.size_bytes for segment in chosen) // 2)
            raise
        self._file_bytes = min(2 * self._file_bytes, self._config.lake_size_bytes)
        self._troubles.readable(*(segment.id for segment in chosen))
        self._count(done)

    def _waiting(self) -> list[Sealed]:
        with failing(Failure.LIST):
            waiting = self._log.waiting()
        apart = self._set_aside(waiting)
        waiting = [segment for segment in waiting if segment not in apart]
        hours = {segment.hour for segment in waiting}
        ids = {segment.id for segment in waiting}
        self._lake.published.keep_only(hours)
        self._troubles.keep_only(hours | ids | {segment.id for segment in apart})
        self._suspects = replace(self._suspects, last=tuple(id_ for id_ in self._suspects.last if id_ in ids))
        return waiting

    def _set_aside(self, waiting: Sequence[Sealed]) -> set[Sealed]:
        """Move away what must not be decoded; return it, and what of it can't be moved now."""
        condemned = [segment for segment in waiting if segment.id in self._condemned]
        twins = _twins([segment for segment in waiting if segment.id not in self._condemned])
        self._left_apart = bool(condemned or twins)
        if self._left_apart and time.monotonic() >= self._set_aside_at_s:
            self._left_apart = False
            for segment in (*condemned, *twins):
                try:
                    with failing(Failure.SET_ASIDE):
                        self._condemn(segment) if segment in condemned else self._part(segment)
                except PublishFailed as exc:
                    self._troubles.left_apart(exc, segment.id)
                    self._left_apart = True
                    self._set_aside_at_s = time.monotonic() + _SET_ASIDE_AGAIN_S
        return {*condemned, *twins}

    def _part(self, segment: Sealed) -> None:
        self._log.set_aside_whole(segment, DamageReason.ID_TAKEN, "sealed/ has another segment of this id")

    def _condemn(self, segment: Sealed) -> None:
        deaths = self._config.blamed[segment.id]
        detail = f"the lake writer died {deaths} times while decoding it"
        self._log.set_aside_whole(segment, DamageReason.KILLS_THE_WRITER, detail)

    def _count(self, done: Publication) -> None:
        assert done.loaded is not None
        self._figures.segments.inc(len(done.segments))
        metrics.SECONDS.labels("decode").inc(done.loaded.decode_s)
        metrics.SECONDS.labels("encode").inc(done.loaded.encode_s)
        metrics.SECONDS.labels("publish").inc(sum(s for name, s in done.seconds.items() if name != "write"))
        if done.loaded.rows:
            self._figures.rows.inc(done.loaded.rows)
            self._figures.files.inc()
            self._figures.size_bytes.inc(done.size_bytes)
        _messages.info(
            "file published",
            table=self._lake.source.name,
            file=done.target.name,
            rows=done.loaded.rows,
            segments=len(done.segments),
            bytes=done.size_bytes,
        )
        # What decoding took is not kept for the next file, which may be hours away.
        pa.default_memory_pool().release_unused()


@contextmanager
def _blaming(segments: Sequence[Sealed]) -> Iterator[None]:
    """Name with a failure in the block what is to blame for it, where others need not share it."""
    try:
        yield
    except PublishFailed as exc:
        if exc.cause in _OF_A_SEGMENT:
            exc.about = [segment.id for segment in segments]
        elif exc.cause in _OF_AN_HOUR and not exc.no_room:
            exc.about = [segments[0].hour]
        raise


def _with_at_end(ids: tuple[str, ...], latest: str) -> tuple[str, ...]:
    return (*(id_ for id_ in ids if id_ != latest), latest)


def _twins(waiting: Sequence[Sealed]) -> list[Sealed]:
    """Those whose id another one has that holds more: only a person's copy can bring them together."""
    largest: dict[str, Sealed] = {}
    for segment in sorted(waiting, key=lambda segment: (segment.records, segment.size_bytes)):
        largest[segment.id] = segment
    return [segment for segment in waiting if largest[segment.id] is not segment]


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
    metering.tell_if_apart()
    be_nice()
    # In time only as long as no module of the writer makes an array when it is imported.
    shut_out("pandas")
    tables = written_tables(Path(config.data_dir), archive=config.archive)
    staging = Staging(Path(config.data_dir))
    try:
        # All of them hold to the folders that had their names when they were made: those may be another service's.
        require_folders(config.places)
    except OSError as exc:
        _messages.error("lake writer failed", error=str(exc), hint=hint_of(exc))
        return 1
    loop = Loop([LakeWriter(config, table, staging) for table in tables], config.lifeline_fd)
    loop.listen()
    if config.blamed:
        # What killed a writer is tried without what has no guard against faults of its own.
        _messages.warning("no compiled decoder until the service is started anew: a lake writer died of a segment")
    else:
        # numba brings twice as many objects as all else.
        COMPILED.preparation.after(_EVENTS_WORTH_COMPILING, then=gc.freeze)
    try:
        return loop.run()
    finally:
        COMPILED.preparation.close()


if __name__ == "__main__":
    # What was imported stays. To look through it for garbage again and again takes 5 % of the CPU at 1 event a request.
    gc.freeze()
    sys.exit(main(sys.argv[1:]))
