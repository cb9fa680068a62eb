"""Which files a table of the lake has: `*.parquet`, two folders down. What else lies there is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import disk
from sluice.lake.partition import SUFFIX, folder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["hour_files", "table_files"]


def table_files(table: Path, *, hours: Collection[str] | None = None) -> Iterator[Path]:
    """The files of a table, the oldest hour first.

    Args:
        table: the table's folder.
        hours: only those of these receive hours, `YYYYMMDDTHH` in UTC; None: all.

    Raises:
        OSError: a folder can't be listed.
    """
    if hours is None:
        folders = [date / hour for name in _names(table) for date in [table / name] for hour in _names(date)]
    else:
        folders = [folder_of(table, hour) for hour in sorted(hours)]
    for folder in folders:
        yield from hour_files(folder)


def hour_files(folder: Path) -> list[Path]:
    """What has a file's name in the folder of an hour; none if there is no such folder.

    Raises:
        OSError: it can't be listed.
    """
    return [folder / name for name in _names(folder) if name.endswith(SUFFIX)]


def _names(path: Path) -> list[str]:
    try:
        return disk.entries(path)
    except NotADirectoryError:
        return []
