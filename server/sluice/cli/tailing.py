"""Show the events of a log: those that it holds, and those that come.

    find      what came, request by request, from the files of the log, ten times a second
    choose    the events that are wanted; of more than a rate's worth a second, a fair sample
    decode    the chosen ones alone, to rows as the lake will have them
    show      masked, unless it was asked otherwise

What can't be shown is told, in words: what was passed over, what is damaged, what was in the log and gone again before
it could be seen. Nothing here writes to the data folder, takes a lock, or waits for the service.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from sluice.cli.output import iso_time, say, wait_while_read
from sluice.cli.pasted import command_on
from sluice.cli.sampling import Batch, Sampler
from sluice.lake.arrivals import Arrivals
from sluice.lake.choice import choose
from sluice.lake.decode import decode, in_stretches
from sluice.lake.masking import masked
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER
from sluice.log.follow import Followed, Follower, Missed, Spoiled
from sluice.log.ids import request_id_text
from sluice.log.segment import LOG_FOLDER, begun_at, hour_of
from sluice.supervisor.run_file import read_run_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sluice.cli.wanted import Wanted
    from sluice.lake.parquet import SegmentRows
    from sluice.log.growing import PassedOver
    from sluice.storage.v1.log_record_pb2 import LogRecord

__all__ = ["Tail", "TailOptions"]

Row: TypeAlias = dict[str, Any]

_LOOK_EVERY_S = 0.1
_LOOK_AT_LAKE_EVERY_S = 1.0

# Whoever stood still for longer, as in a terminal that was stopped, is told that instead of what went by meanwhile.
_STOOD_STILL_S = 10.0

_MAX_TOLD_AT_ONCE = 5
# Of the past; a record may be as large as max-body.
_EVENTS_AT_ONCE = 1000
_BYTES_AT_ONCE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TailOptions:
    """What is shown, and how much.

    Attributes:
        wanted: which events.
        rate: how many events of a second are shown; of what the log held at the beginning, all are.
        limit: how many are shown in all; None: no limit.
        show_values: unmasked.
    """

    wanted: Wanted
    rate: int
    limit: int | None
    show_values: bool


class Tail:
    """Looks at the log of a data folder, from when it is made.

    Args:
        data_dir: the data folder.
        options: what is shown.
        show: shows rows of `EVENTS`.

    Attributes:
        service_runs: whether a service ran on the folder when it was last looked at.

    Raises:
        OSError: a folder can't be read.
    """

    def __init__(self, data_dir: Path, options: TailOptions, show: Callable[[Iterable[Row]], None]) -> None:
        self._options = options
        self._show_rows = show
        self._left = options.limit
        self._sampler: Sampler[Followed[LogRecord]] = Sampler(options.rate)
        self._arrivals = Arrivals(data_dir / LAKE_FOLDER / EVENTS_FOLDER)
        self._began_at = time.time()
        self._unseen: dict[Path, list[SegmentRows]] = {}
        self._looked_s = self._looked_at_lake_s = time.monotonic()
        self._data_dir = data_dir
        self.service_runs = self._is_running()
        # The lake first: what is published in between is then told as unseen, rather than not at all.
        self._arrivals.begin(_hours(self._began_at))
        self._follower = Follower(data_dir / LOG_FOLDER)
        self._follower.begin()

    def close(self) -> None:
        """Give back what is held open."""
        self._follower.close()

    @property
    def is_done(self) -> bool:
        """Whether as many events were shown as were asked for."""
        return self._left == 0

    def show_past(self, *, since_us: int = 0) -> None:
        """Show what the log held at the beginning; before `run`.

        Args:
            since_us: only what was received from then on, in microseconds since the epoch.
        """
        _tell_how_far(self._data_dir, self._follower.goes_back_to, since_us / 1_000_000)
        wanted = self._options.wanted
        batch: Batch[Followed[LogRecord]] = []
        events = body_bytes = 0
        for found in self._follower.past(since_us=since_us):
            match found:
                case Followed():
                    if positions := wanted.positions_in(found.record):
                        batch.append((found, positions))
                        events += len(positions)
                        body_bytes += len(found.record.body)
                case Spoiled():
                    _tell_spoiled(self._data_dir, [found])
                case Missed():
                    _say_in_lake(f"{found.segment.records:,} records of segment {found.segment.id}", "before its turn")
            if events >= _EVENTS_AT_ONCE or body_bytes >= _BYTES_AT_ONCE:
                self._show(batch)
                batch, events, body_bytes = [], 0, 0
                if self.is_done:
                    return
        self._show(batch)
        _tell_passed_over(self._follower.take_passed_over())

    def run(self) -> None:
        """Show what comes, until as many events were shown as were asked for, or nobody reads them.

        Raises:
            OSError: the log can't be read, or nobody reads standard output any more.
        """
        while not self.is_done:
            began_s = time.monotonic()
            self.run_once(began_s)
            wait_while_read(max(0.0, began_s + _LOOK_EVERY_S - time.monotonic()))

    def run_once(self, now_s: float) -> None:
        """Look once, and show what came.

        Args:
            now_s: seconds on the monotonic clock.
        """
        ended = self._sampler.end_second(now_s)
        if ended is not None:
            self._show(ended.chosen)
            if ended.shown < ended.came and not self.is_done:
                say(f"showing {ended.shown:,} of {ended.came:,} events/s")
        stood_still_s, self._looked_s = now_s - self._looked_s, now_s
        look = self._follower.look()
        _tell_spoiled(self._data_dir, look.spoiled)
        _tell_passed_over(look.passed_over)
        found = ((followed, self._options.wanted.positions_in(followed.record)) for followed in look.records)
        self._show(self._sampler.offer([(followed, positions) for followed, positions in found if positions]))
        if stood_still_s > _STOOD_STILL_S:
            self._tell_stood_still(stood_still_s)
        elif now_s - self._looked_at_lake_s >= _LOOK_AT_LAKE_EVERY_S:
            self._look_at_lake(now_s)
            self._look_at_service()

    def _show(self, batch: Batch[Followed[LogRecord]]) -> None:
        if batch and not self.is_done:
            self._show_rows(self._counted(self._rows(batch)))

    def _rows(self, batch: Batch[Followed[LogRecord]]) -> Iterator[Row]:
        for followed, positions in batch:
            if len(positions) < followed.record.event_count:
                choose(followed.record, positions)
        for stretch in in_stretches((followed, followed.record) for followed, _ in batch):
            decoded = decode([record for _, record in stretch])
            for bad in decoded.undecodable:
                where = stretch[bad.index][0]
                say(
                    f"can't be decoded: request {request_id_text(where.record.request_id)}, segment {where.segment}, "
                    f"offset {where.offset}: {bad.detail}"
                )
            for rows in decoded.batches:
                for row in rows.to_pylist(maps_as_pydicts="strict"):
                    yield row if self._options.show_values else masked(row)

    def _counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            if self._left is not None:
                self._left -= 1
            yield row
            if self.is_done:
                return

    def _look_at_lake(self, now_s: float) -> None:
        """Tell which segments were in the log and gone again without being seen, by what the lake's new files name."""
        # Those of the last time may have been there for one more look.
        for path, segments in self._unseen.items():
            unseen = [segment for segment in segments if not self._follower.knows(segment.id)]
            if unseen:
                records = sum(segment.records for segment in unseen)
                _say_in_lake(f"{records:,} records", "between two looks", path)
        self._unseen = {}
        self._looked_at_lake_s = now_s
        for arrival in self._arrivals.look(_hours(time.time())):
            unseen = [
                segment
                for segment in arrival.segments
                if begun_at(segment.id) >= self._began_at and not self._follower.knows(segment.id)
            ]
            if unseen:
                self._unseen[arrival.path] = unseen

    def _is_running(self) -> bool:
        run = read_run_file(self._data_dir)
        return run is not None and run.is_alive

    def _look_at_service(self) -> None:
        ran, self.service_runs = self.service_runs, self._is_running()
        if self.service_runs != ran:
            say("a service runs again" if self.service_runs else "the service has ended; waiting for one to start")

    def _tell_stood_still(self, seconds: float) -> None:
        say(f"stood still for {timedelta(seconds=round(seconds))}: what came and went meanwhile is not shown")
        self._unseen = {}
        self._looked_at_lake_s = self._looked_s
        self._arrivals.begin(_hours(time.time()))


def _hours(now: float) -> tuple[str, ...]:
    """The receive hours whose files may come now."""
    return tuple(hour_of(int(seconds * 1_000_000)) for seconds in (now - 3600, now))


def _tell_how_far(data_dir: Path, goes_back_to: float | None, since: float) -> None:
    ask = command_on(data_dir, "query")
    if goes_back_to is None:
        say(f"the log is empty: all that was acknowledged is in the lake; see {ask}")
    elif since and goes_back_to > since:
        say(f"the log goes back to {iso_time(goes_back_to)}: what came before is in the lake; see {ask}")


def _tell_passed_over(passed_over: PassedOver) -> None:
    if passed_over.records:
        mebibytes = passed_over.bytes / 2**20
        say(f"passed over {passed_over.records:,} records, {mebibytes:,.1f} MiB: more than can be read")


def _tell_spoiled(data_dir: Path, spoiled: Sequence[Spoiled]) -> None:
    for each in spoiled[:_MAX_TOLD_AT_ONCE]:
        damage = each.damage
        say(f"damaged: segment {each.segment}, offset {damage.offset}, {len(damage.data):,} bytes: {damage.detail}")
    if len(spoiled) > _MAX_TOLD_AT_ONCE:
        see = command_on(data_dir, "log verify")
        say(f"damaged: {len(spoiled) - _MAX_TOLD_AT_ONCE:,} more stretches; see {see}")


def _say_in_lake(what: str, when: str, path: Path | None = None) -> None:
    where = f": {path}" if path else ""
    say(f"{what} went to the lake {when}, and are not shown{where}")
