"""What the lake writer counts. Names and labels are an interface: added to, never renamed.

How far the lake is behind the supervisor tells, who sees it also when no writer runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sluice.lake.partition import EVENTS_FOLDER, REJECTS_FOLDER
from sluice.metering import Counter, Gauge

__all__ = [
    "BYTES",
    "COMPILED_DECODER",
    "FAILURES",
    "FAILURES_BY_CAUSE",
    "FILES",
    "OF_EVENTS",
    "OF_REJECTS",
    "OUTAGES",
    "ROWS",
    "SECONDS",
    "SEGMENTS",
    "Failure",
    "Figures",
]

ROWS = Counter("sluice_lake_rows", "Rows of the table events published to the lake.")
FILES = Counter("sluice_lake_files", "Files published to the lake.")
BYTES = Counter("sluice_lake_bytes", "Bytes of the files published to the lake.")
SEGMENTS = Counter("sluice_lake_segments", "Segments whose records are in the lake.")
SECONDS = Counter("sluice_lake_seconds", "CPU seconds (decode, encode) and elapsed seconds (publish).", ["stage"])
FAILURES = Counter("sluice_lake_failures", "Attempts to publish that failed and are made again.")
FAILURES_BY_CAUSE = Counter("sluice_lake_failures_by_cause", "The same, by what failed.", ["cause"])
COMPILED_DECODER = Gauge(
    "sluice_lake_compiled_decoder", "1: the lake writer decodes by what was compiled.", multiprocess_mode="livemax"
)
OUTAGES = Gauge(
    "sluice_lake_outages",
    "1 while that keeps segments of the table from being published.",
    ["table", "cause"],
    multiprocess_mode="livemax",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is counted of one table.

    Attributes:
        rows: published.
        files: published.
        size_bytes: of those files.
        segments: whose records are in the lake.
    """

    rows: Counter
    files: Counter
    size_bytes: Counter
    segments: Counter


OF_EVENTS = Figures(rows=ROWS, files=FILES, size_bytes=BYTES, segments=SEGMENTS)
OF_REJECTS = Figures(
    rows=Counter("sluice_lake_rejects_rows", "Rows of the table rejects published to the lake."),
    files=Counter("sluice_lake_rejects_files", "Files of the table rejects published to the lake."),
    size_bytes=Counter("sluice_lake_rejects_bytes", "Bytes of those files."),
    segments=Counter("sluice_lake_rejects_segments", "Segments of refused requests whose records are in the lake."),
)


class Failure(Enum):
    """What failed; the values are metric labels. From `write` on they are the steps of publishing."""

    STAGING = "staging"
    LIST = "list"
    UNREADABLE_FILE = "unreadable_file"
    UNREADABLE_SEGMENT = "unreadable_segment"
    SET_ASIDE = "set_aside"
    WRITE = "write"
    SYNC = "sync"
    MAKE_FOLDERS = "make_folders"
    MOVE = "move"
    SYNC_FOLDER = "sync_folder"
    SYNC_PARENTS = "sync_parents"
    LET_GO = "let_go"


# All that are known from the start show 0, and none needs a descriptor or room later, when there may be none left.
for _cause in Failure:
    FAILURES_BY_CAUSE.labels(_cause.value)
    for _table in (EVENTS_FOLDER, REJECTS_FOLDER):
        OUTAGES.labels(_table, _cause.value)
