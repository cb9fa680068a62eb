"""Show refused requests as they come: what `sluice tail --refused` does. Reads, and changes nothing.

    find      what came, from the files of the log of refused requests, ten times a second
    show      one line each: when, why, whose, and the first of what is wrong; never a body

Of more than a rate's worth a second the first are shown, and the others counted.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sluice.cli.output import say, shown, wait_while_read
from sluice.cli.pasted import command_on
from sluice.lake.decode_refused import row_of
from sluice.lake.rejects import dated
from sluice.log.follow import Followed, FollowerOf
from sluice.log.record import source_of
from sluice.log.refused import decode_refused, refused_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sluice.storage.v1.refused_record_pb2 import RefusedRecord

__all__ = ["RefusedTail", "WantedRefusals", "refusal_line"]

_LOOK_EVERY_S = 0.1
_MAX_ERRORS_SHOWN = 3
_REASON_WIDTH = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRefusals:
    """What is wanted; of each kind one must fit, and where none is named, all do.

    Attributes:
        key_ids: ids of API keys.
        projects: projects.
        sources: doors: sdk, webhook, grpc.
    """

    key_ids: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def has(self, record: RefusedRecord) -> bool:
        """Whether a record is wanted."""
        return (
            (not self.key_ids or record.key_id in self.key_ids)
            and (not self.projects or record.project in self.projects)
            and (not self.sources or source_of(record).value in self.sources)
        )


class RefusedTail:
    """Looks at the log of refused requests of a data folder, from when it is made.

    Args:
        data_dir: the data folder.
        wanted: which are shown.
        show: shows rows of the table rejects, without bodies.
        rate: how many are shown of a second; of what the log held at the beginning, all are.
        limit: how many in all; None: no limit.

    Raises:
        OSError: a folder can't be read.
    """

    def __init__(
        self,
        data_dir: Path,
        wanted: WantedRefusals,
        show: Callable[[Iterable[dict[str, Any]]], None],
        *,
        rate: int,
        limit: int | None,
    ) -> None:
        self._data_dir = data_dir
        self._wanted = wanted
        self._show = show
        self._rate = rate
        self._left = limit
        self._second = 0
        self._shown_of_second = self._left_out = 0
        self._follower: FollowerOf[RefusedRecord] = FollowerOf(refused_log(data_dir), decode_refused)
        self._follower.begin()

    def close(self) -> None:
        """Give back what is held open."""
        self._follower.close()

    @property
    def is_done(self) -> bool:
        """Whether as many were shown as were asked for."""
        return self._left == 0

    def show_past(self, *, since_us: int = 0) -> None:
        """Show what the log held at the beginning; before `run`.

        Args:
            since_us: only what was received from then on, in microseconds since the epoch.
        """
        for found in self._follower.past(since_us=since_us):
            if isinstance(found, Followed) and self._wanted.has(found.record) and not self.is_done:
                self._show_one(found.record)
        self._follower.take_passed_over()

    def run(self) -> None:
        """Show what comes, until as many were shown as were asked for, or nobody reads them.

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
        if int(now_s) != self._second:
            if self._left_out:
                see = command_on(self._data_dir, "rejects list")
                say(f"{self._left_out:,} more were refused in that second; see {see}")
            self._second, self._shown_of_second, self._left_out = int(now_s), 0, 0
        look = self._follower.look()
        if look.passed_over.records:
            say(f"passed over {look.passed_over.records:,} refused requests: more than can be read")
        for found in look.records:
            if self.is_done or not self._wanted.has(found.record):
                continue
            if self._shown_of_second >= self._rate:
                self._left_out += 1
                continue
            self._shown_of_second += 1
            self._show_one(found.record)

    def _show_one(self, record: RefusedRecord) -> None:
        record.ClearField("body")
        row = dated(row_of(record))
        del row["body"]
        self._show([row])
        if self._left is not None:
            self._left -= 1


def refusal_line(row: Mapping[str, Any]) -> str:
    """A refused request as one line for people, without control characters."""
    at = row["received_at"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    errors = json.loads(row["errors"] or "[]")
    said = "; ".join(f"{e['path']}: expected {e['expected']}, got {e['found']}" for e in errors[:_MAX_ERRORS_SHOWN])
    more = f"; and {len(errors) - _MAX_ERRORS_SHOWN:,} more" if len(errors) > _MAX_ERRORS_SHOWN else ""
    counts = "" if row["event_count"] is None else f" events={row['invalid_event_count']}/{row['event_count']}"
    facts = f"request={row['request_id']} key={row['key_id']} source={row['source']}{counts}"
    return shown(f"{at} {row['reason']:<{_REASON_WIDTH}} {facts} {said}{more}")
