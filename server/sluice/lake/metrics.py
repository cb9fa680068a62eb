"""What the lake writer counts. Names and labels are an interface: added to, never renamed.

How far the lake is behind the supervisor tells, who sees it also when no writer runs.
"""

from __future__ import annotations

from sluice.metering import Counter

__all__ = [
    "BYTES",
    "FAILURES",
    "FILES",
    "ROWS",
    "SECONDS",
    "SEGMENTS",
]

ROWS = Counter("sluice_lake_rows", "Rows published to the lake.")
FILES = Counter("sluice_lake_files", "Files published to the lake.")
BYTES = Counter("sluice_lake_bytes", "Bytes of the files published to the lake.")
SEGMENTS = Counter("sluice_lake_segments", "Segments whose records are in the lake.")
SECONDS = Counter("sluice_lake_seconds", "CPU seconds (decode, encode) and elapsed seconds (publish).", ["stage"])
FAILURES = Counter("sluice_lake_failures", "Attempts to publish that failed and are made again.")
