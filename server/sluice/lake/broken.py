"""Finds the file that keeps a table of the lake from being read: for whoever has just failed to read it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa

from sluice import disk
from sluice.errors import SluiceError
from sluice.lake.files import table_files
from sluice.lake.parquet import open_parquet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["find_broken"]

_ROWS_AT_ONCE = 8_192


def find_broken(table: Path, *, whole: bool, within_s: float) -> str | None:
    """Tell of the first file that can't be read: its path, and why. None if there is none, or none in time.

    Args:
        table: the table's folder.
        whole: read all rows; else only what a file says of itself at its end.
        within_s: how long it may take, about.
    """
    deadline = time.monotonic() + within_s
    for path in table_files(table):
        try:
            path.name.encode()
            with disk.open_read(path) as file, closing(open_parquet(file)) as parquet:
                for _ in parquet.iter_batches(_ROWS_AT_ONCE) if whole else ():
                    if time.monotonic() > deadline:
                        return None
        except (FileNotFoundError, disk.NotARegularFile):
            continue  # DuckDB passes over them, too
        except UnicodeEncodeError:
            return f"{str(path)!a}: its name is not UTF-8"
        except SluiceError as exc:
            return exc.message
        except (OSError, pa.ArrowException) as exc:
            return f"{path}: it can't be read: {exc}"
        if time.monotonic() > deadline:
            return None
    return None
