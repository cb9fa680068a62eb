"""Refused requests, wherever they are: in the log, or in the table rejects. Reads, and changes nothing.

A request goes from the log to the lake, and is there before it leaves the log. So the log is read first, and of its
segments those are left out that a file of the lake names by then.
"""

from __future__ import annotations

import heapq
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from sluice import disk
from sluice.lake.decode_refused import row_of
from sluice.lake.files import table_files
from sluice.lake.locate import locate_rows, read_rows
from sluice.lake.parquet import UnreadableFile, open_parquet, segments_in
from sluice.lake.partition import LAKE_FOLDER, REJECTS_FOLDER
from sluice.log.locate import locate
from sluice.log.reader import parts_in
from sluice.log.refused import decode_refused, refused_log
from sluice.log.segment import State
from sluice.log.segment_files import read_where_it_is, segment_files

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Found", "Row", "WantedRejects", "dated", "find_reject", "find_rejects"]

Row: TypeAlias = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE = 8_192
# What is not read to choose among them; it may be large.
_LARGE = ("body", "errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRejects:
    """Which refused requests are wanted; of each kind one must fit, and where none is named, all do.

    Attributes:
        reasons: why they were refused.
        key_ids: ids of API keys.
        since: received at that time or later; None: at any.
        until: received before that time; None: at any.
    """

    reasons: frozenset[str] = frozenset()
    key_ids: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def has(self, row: Row) -> bool:
        """Whether a row is wanted."""
        return (
            (not self.reasons or row["reason"] in self.reasons)
            and (not self.key_ids or row["key_id"] in self.key_ids)
            and (self.since is None or row["received_at"] >= self.since)
            and (self.until is None or row["received_at"] < self.until)
        )

    def choose(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that are wanted."""
        for column, values in (("reason", self.reasons), ("key_id", self.key_ids)):
            if values:
                batch = batch.filter(pc.is_in(batch.column(column), pa.array(sorted(values))))
        if self.since is not None:
            batch = batch.filter(pc.greater_equal(batch.column("received_at"), pa.scalar(self.since)))
        if self.until is not None:
            batch = batch.filter(pc.less(batch.column("received_at"), pa.scalar(self.until)))
        return batch


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found.

    Attributes:
        rows: of the wanted requests the latest, or the earliest, without body and errors.
        by_reason: how many there are in all.
        unreadable: files of the lake that can't be read: what they hold isn't known.
    """

    rows: list[Row]
    by_reason: Counter[str] = field(default_factory=Counter)
    unreadable: list[Path] = field(default_factory=list)


def find_rejects(data_dir: Path, wanted: WantedRejects, *, limit: int, earliest: bool = False) -> Found:
    """Find refused requests.

    Args:
        data_dir: the data folder.
        wanted: which.
        limit: how many rows are given.
        earliest: the first of them, the earliest first; else the last of them, the latest first.

    Raises:
        OSError: a folder, or a file of the log, can't be read.
    """
    found = Found(rows=[])
    rows = _counted(_wanted_rows(data_dir, wanted, found), found.by_reason)
    choose = heapq.nsmallest if earliest else heapq.nlargest
    found.rows = choose(limit, rows, key=lambda row: (row["received_at"], row["request_id"]))
    return found


def find_reject(data_dir: Path, request_id: uuid.UUID, unreadable: list[Path]) -> Row | None:
    """Find one refused request, with all that is kept of it; None: there is none of that id.

    Args:
        data_dir: the data folder.
        request_id: which.
        unreadable: gets the files of the lake that can't be read; it may be in one of them.

    Raises:
        OSError: a folder or a file can't be read.
    """
    for located in locate(refused_log(data_dir), request_id.bytes, decode=decode_refused):
        if located.record is not None and located.file.state is not State.DAMAGED:
            return dated(row_of(located.record))
    located_rows = locate_rows(data_dir / LAKE_FOLDER / REJECTS_FOLDER, str(request_id))
    unreadable += located_rows.unreadable
    for rows in located_rows.rows:
        return read_rows(rows, str(request_id), limit=1)[0]
    return None


def dated(row: Row) -> Row:
    """A row of a record with its time as the lake has it."""
    return {**row, "received_at": _EPOCH + timedelta(microseconds=row["received_at"])}


def _counted(rows: Iterable[Row], by_reason: Counter[str]) -> Iterator[Row]:
    for row in rows:
        by_reason[row["reason"]] += 1
        yield row


def _wanted_rows(data_dir: Path, wanted: WantedRejects, found: Found) -> Iterator[Row]:
    in_log = _rows_in_log(data_dir, wanted)
    for path in table_files(data_dir / LAKE_FOLDER / REJECTS_FOLDER):
        try:
            with disk.open_read(path) as file, closing(open_parquet(file)) as parquet:
                for segment in segments_in(parquet.metadata) or ():
                    in_log.pop(segment.id, None)
                columns = [name for name in parquet.schema_arrow.names if name not in _LARGE]
                for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=columns):
                    yield from wanted.choose(batch).to_pylist()
        except (FileNotFoundError, disk.NotARegularFile):
            continue  # somebody moved it away since the folder was listed; or it is none of the lake's
        except (UnreadableFile, OSError, pa.ArrowException, KeyError):
            found.unreadable.append(path)
    for rows in in_log.values():
        yield from rows


def _rows_in_log(data_dir: Path, wanted: WantedRejects) -> dict[str, list[Row]]:
    """The wanted rows of each segment that may not be in the lake yet."""
    by_segment: dict[str, list[Row]] = {}
    for segment in segment_files(refused_log(data_dir)):
        if segment.state is State.ARCHIVED:
            continue
        content = read_where_it_is(segment, disk.read_bytes) or b""
        rows = by_segment[segment.id] = []
        for part in parts_in(content, sealed=segment.sealed, decode=decode_refused):
            if not isinstance(part, tuple):
                continue  # sluice log verify tells of it
            record = part[1]
            record.ClearField("body")
            row = dated(row_of(record))
            if wanted.has(row):
                rows.append({name: value for name, value in row.items() if name not in _LARGE})
    return by_segment
