"""Finds the rows of one request in the lake, by its id. Reads, and changes nothing.

Of each file only its footer is read, and of those row groups whose statistics don't exclude the id five short columns.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sluice import disk
from sluice.lake.files import table_files
from sluice.lake.parquet import UnreadableFile, open_parquet, segments_in, version_in

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from sluice.lake.parquet import SegmentRows

__all__ = ["Located", "LocatedRows", "locate_rows", "read_rows"]

_ID = "request_id"
_FACTS = (_ID, "received_at", "source", "project", "key_id")
_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedRows:
    """Where in one file the rows of a request are.

    Attributes:
        path: the file.
        row_groups: those that hold some of the rows.
        first_row: the position of the first of them in the file, from 0.
        rows: how many they are.
        file_rows: how many rows the file has in all.
        segments: which log segments it names; None where it names none.
        schema_version: of the table it was written for; None where it says none.
        received_at: when the request was received.
        source: the door that it came through.
        project: that of its API key.
        key_id: the id of its API key.
    """

    path: Path
    row_groups: tuple[int, ...]
    first_row: int
    rows: int
    file_rows: int
    segments: tuple[SegmentRows, ...] | None
    schema_version: int | None
    received_at: datetime
    source: str
    project: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """What a look into the lake came to.

    Attributes:
        rows: where the request's rows are: one file holds them, or none does; more only if somebody copied files.
        unreadable: files that are none of Parquet, lack the columns, or can't be read: what they hold isn't known.
    """

    rows: tuple[LocatedRows, ...]
    unreadable: tuple[Path, ...]


def locate_rows(table: Path, request_id: str, *, hours: Collection[str] | None = None) -> Located:
    """Find the rows of a request in a table.

    Args:
        table: the table's folder.
        request_id: as rows carry it.
        hours: only in files of these receive hours, `YYYYMMDDTHH` in UTC; None: in all.

    Raises:
        OSError: a folder can't be listed.
    """
    found: list[LocatedRows] = []
    unreadable: list[Path] = []
    for path in table_files(table, hours=hours):
        try:
            with disk.open_read(path) as file, closing(open_parquet(file)) as parquet:
                rows = _located_in(path, parquet, request_id)
        except (FileNotFoundError, disk.NotARegularFile):
            continue  # somebody moved it away since the folder was listed; or it is none of the lake's
        except (UnreadableFile, OSError, pa.ArrowException, KeyError, TypeError):  # other types: pyarrow compares none
            unreadable.append(path)
            continue
        if rows is not None:
            found.append(rows)
    return Located(rows=tuple(found), unreadable=tuple(unreadable))


def read_rows(located: LocatedRows, request_id: str, *, limit: int) -> list[dict[str, Any]]:
    """The first rows of a request, with all columns that its file has.

    Args:
        located: where they are.
        request_id: as rows carry it.
        limit: how many at most.

    Raises:
        OSError: the file can't be read any more.
    """
    rows: list[dict[str, Any]] = []
    with disk.open_read(located.path) as file, closing(open_parquet(file)) as parquet:
        for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=list(located.row_groups)):
            mine = batch.filter(pc.equal(batch.column(_ID), request_id))
            rows += mine.slice(0, limit - len(rows)).to_pylist(maps_as_pydicts="strict")
            if len(rows) >= limit:
                break
    return rows


def _located_in(path: Path, parquet: pq.ParquetFile, request_id: str) -> LocatedRows | None:
    metadata = parquet.metadata
    column = metadata.schema.names.index(_ID) if _ID in metadata.schema.names else None
    if column is None:
        raise KeyError(_ID)
    groups: list[int] = []
    first_row, rows, facts = 0, 0, None
    begins = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if _may_hold(group.column(column), request_id):
            at = begins
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[number], columns=list(_FACTS)):
                positions = pc.indices_nonzero(pc.equal(batch.column(_ID), request_id))
                if len(positions):
                    if facts is None:
                        first_row = at + positions[0].as_py()
                        facts = batch.slice(positions[0].as_py(), 1).to_pylist()[0]
                    rows += len(positions)
                    if number not in groups:
                        groups.append(number)
                at += batch.num_rows
        begins += group.num_rows
    if facts is None:
        return None
    return LocatedRows(
        path=path,
        row_groups=tuple(groups),
        first_row=first_row,
        rows=rows,
        file_rows=metadata.num_rows,
        segments=segments_in(metadata),
        schema_version=version_in(metadata),
        received_at=facts["received_at"],
        source=facts["source"],
        project=facts["project"],
        key_id=facts["key_id"],
    )


def _may_hold(column: pq.ColumnChunkMetaData, request_id: str) -> bool:
    """Whether a row group's statistics leave it open that it holds the id."""
    statistics = column.statistics if column.is_stats_set else None
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min <= request_id <= statistics.max)
