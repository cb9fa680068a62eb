"""Where a row's file lies: folders by receive hour in UTC, so that readers know both columns from the path.

`events/received_date=2026-01-31/received_hour=07/<first segment id>.parquet`
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["EVENTS_FOLDER", "LAKE_FOLDER", "REJECTS_FOLDER", "SUFFIX", "file_name", "folder_of"]

LAKE_FOLDER = "lake"
EVENTS_FOLDER = "events"
REJECTS_FOLDER = "rejects"
SUFFIX = ".parquet"


def folder_of(table: Path, hour: str) -> Path:
    """The folder of one receive hour of a table.

    Args:
        table: the table's folder.
        hour: `YYYYMMDDTHH` in UTC, as segment ids begin.

    Raises:
        ValueError: the text is no hour.
    """
    # Parsed and printed again: what comes from a file's name never becomes another path.
    at = datetime.strptime(hour, "%Y%m%dT%H")  # noqa: DTZ007  only taken apart
    return table / f"received_date={at:%Y-%m-%d}" / f"received_hour={at:%H}"


def file_name(first_segment_id: str) -> str:
    """The name of the file whose first segment that is."""
    return f"{first_segment_id}{SUFFIX}"
