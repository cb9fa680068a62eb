"""Where one request is, in the log and in the lake.

A request goes from open/ to sealed/ to the lake, and is there before it leaves the place before. So one look, in that
order, finds it wherever it is. By its id it is first looked for where it should be: in the hour that the id names, and
in those beside it. Only a clock that was set by more than an hour brings it elsewhere; then everything is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sluice.lake.locate import locate_rows
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER, REJECTS_FOLDER
from sluice.log.locate import locate, locate_record
from sluice.log.refused import decode_refused, refused_log
from sluice.log.segment import LOG_FOLDER, State, hour_of

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Collection
    from pathlib import Path

    from sluice.lake.locate import LocatedRows
    from sluice.log.locate import LocatedRecord
    from sluice.storage.v1.log_record_pb2 import LogRecord
    from sluice.storage.v1.refused_record_pb2 import RefusedRecord

__all__ = ["NOWHERE", "Stage", "Whereabouts", "find"]

_HOUR_US = 3_600_000_000
# The year 10000, which Python's dates don't have.
_END_US = 253_402_300_800_000_000


class Stage(Enum):
    """How far a request has come; the values are those of `state` in `sluice trace --json`."""

    OPEN = "open"
    SEALED = "sealed"
    PUBLISHED = "published"
    ARCHIVED = "archived"
    DAMAGED = "damaged"
    REFUSED = "refused"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a request is.

    Attributes:
        in_log: its places in the log.
        in_lake: its rows' places in the lake.
        unreadable: files of the lake of which it isn't known whether they hold it.
        refused_in_log: where the log of refused requests has it: it was refused, or events of it were set aside.
        refused_in_lake: where the table rejects has it.
    """

    in_log: tuple[LocatedRecord[LogRecord], ...]
    in_lake: tuple[LocatedRows, ...]
    unreadable: tuple[Path, ...]
    refused_in_log: tuple[LocatedRecord[RefusedRecord], ...] = ()
    refused_in_lake: tuple[LocatedRows, ...] = ()

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        if self.in_lake:
            return Stage.PUBLISHED
        if any(located.reason for located in self.in_log):
            return Stage.DAMAGED
        states = {located.file.state for located in self.in_log}
        refused = Stage.REFUSED if self.refused_in_log or self.refused_in_lake else Stage.NOT_FOUND
        return next((stage for state, stage in _STAGES.items() if state in states), refused)


NOWHERE = Whereabouts(in_log=(), in_lake=(), unreadable=())

# An archived segment is in the lake, unless somebody moved its file away.
_STAGES = {State.SEALED: Stage.SEALED, State.OPEN: Stage.OPEN, State.ARCHIVED: Stage.ARCHIVED}


def find(data_dir: Path, request_id: uuid.UUID, *, say_wide: Callable[[], None]) -> Whereabouts:
    """Find a request.

    Args:
        data_dir: the data folder.
        request_id: a UUIDv7.
        say_wide: called when it is not where it should be, before everything is looked at.

    Raises:
        OSError: a folder or a file can't be read.
    """
    at_us = _made_at_us(request_id)
    hours = {hour_of(us) for us in (at_us - _HOUR_US, at_us, at_us + _HOUR_US) if 0 <= us < _END_US}
    near = _look(data_dir, request_id, hours)
    if near.stage is not Stage.NOT_FOUND:
        return near
    say_wide()
    return _look(data_dir, request_id, None)


def _made_at_us(request_id: uuid.UUID) -> int:
    """When a UUIDv7 was made, in microseconds since the epoch. Source: RFC 9562, section 5.7."""
    return (request_id.int >> 80) * 1000


def _look(data_dir: Path, request_id: uuid.UUID, hours: Collection[str] | None) -> Whereabouts:
    in_log = locate_record(data_dir / LOG_FOLDER, request_id.bytes, hours=hours)
    in_lake = locate_rows(data_dir / LAKE_FOLDER / EVENTS_FOLDER, str(request_id), hours=hours)
    refused_in_log = locate(refused_log(data_dir), request_id.bytes, hours=hours, decode=decode_refused)
    refused_in_lake = locate_rows(data_dir / LAKE_FOLDER / REJECTS_FOLDER, str(request_id), hours=hours)
    return Whereabouts(
        in_log=tuple(in_log),
        in_lake=in_lake.rows,
        unreadable=(*in_lake.unreadable, *refused_in_lake.unreadable),
        refused_in_log=tuple(refused_in_log),
        refused_in_lake=refused_in_lake.rows,
    )
