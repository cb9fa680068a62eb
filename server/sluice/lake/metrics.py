"""What the lake writer counts. Names and labels are an interface: added to, never renamed."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

__all__ = [
    "BYTES",
    "FAILURES",
    "FILES",
    "OLDEST_WAITING_SECONDS",
    "ROWS",
    "SECONDS",
    "SEGMENTS",
    "WAITING_BYTES",
    "WAITING_SEGMENTS",
]

ROWS = Counter("sluice_lake_rows", "Rows published to the lake.")
FILES = Counter("sluice_lake_files", "Files published to the lake.")
BYTES = Counter("sluice_lake_bytes", "Bytes of the files published to the lake.")
SEGMENTS = Counter("sluice_lake_segments", "Segments whose records are in the lake.")
SECONDS = Counter("sluice_lake_seconds", "CPU seconds (decode, encode) and elapsed seconds (publish).", ["stage"])
FAILURES = Counter("sluice_lake_failures", "Attempts to publish that failed and are made again.")
OLDEST_WAITING_SECONDS = Gauge(
    "sluice_lake_oldest_waiting_seconds",
    "Age of the oldest sealed segment that is not in the lake.",
    multiprocess_mode="livemax",
)
WAITING_SEGMENTS = Gauge(
    "sluice_lake_waiting_segments", "Sealed segments that are not in the lake.", multiprocess_mode="livesum"
)
WAITING_BYTES = Gauge("sluice_lake_waiting_bytes", "Bytes of those segments.", multiprocess_mode="livesum")
