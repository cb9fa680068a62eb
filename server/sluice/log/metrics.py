"""Figures of the log. Counted per commit, what waits per request, and none per event: they cost nothing under load."""

from __future__ import annotations

from enum import Enum

from sluice.log.ports import DamageReason
from sluice.log.sealing import SealReason
from sluice.metering import Counter, Gauge, Histogram

__all__ = [
    "Failure",
    "appended_bytes",
    "appended_records",
    "commit_seconds",
    "damages",
    "failures",
    "outages",
    "queue_bytes",
    "sealed_segments",
]


class Failure(Enum):
    """Why the log could not take records; the values are metric labels."""

    CREATE = "create"
    WRITE = "write"
    SYNC = "sync"
    CUT = "cut"
    SEAL = "seal"
    PROBE = "probe"
    DISK_FLOOR = "disk_floor"
    LOG_FULL = "log_full"
    QUEUE_FULL = "queue_full"
    STALL = "stall"
    UNEXPECTED = "unexpected"


commit_seconds = Histogram(
    "sluice_log_commit_seconds",
    "Seconds from the beginning of a write to the end of its fdatasync; its count is that of commits",
    buckets=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
appended_records = Counter("sluice_log_appended_records_total", "Records that became durable")
appended_bytes = Counter("sluice_log_appended_bytes_total", "Bytes of the log that became durable")
queue_bytes = Gauge("sluice_log_queue_bytes", "Bytes that wait for a commit or are in one", multiprocess_mode="livesum")
sealed_segments = Counter("sluice_log_sealed_segments_total", "Segments that were sealed", ["reason"])
failures = Counter("sluice_log_failures_total", "Failures that made the log refuse records", ["cause"])
outages = Gauge(
    "sluice_log_outages",
    "Workers whose log takes no records now, by what failed last",
    ["cause"],
    multiprocess_mode="livesum",
)
damages = Counter("sluice_log_damages_total", "Stretches and segments that were set aside", ["reason"])

# All that are known from the start show 0, and none has to be made on a full disk.
for _cause in Failure:
    failures.labels(_cause.value)
    outages.labels(_cause.value)
for _seal_reason in SealReason:
    sealed_segments.labels(_seal_reason.value)
for _damage_reason in DamageReason:
    damages.labels(_damage_reason.value)
