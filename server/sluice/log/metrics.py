"""Figures of both logs. Counted per commit, what waits per request, none per event: they cost nothing under load."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sluice.log.ports import DamageReason
from sluice.log.sealing import SealReason
from sluice.metering import Counter, Gauge, Histogram

__all__ = [
    "ACCEPTED",
    "REFUSED",
    "Failure",
    "Figures",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the writer of one log counts, and the words in which it tells of its troubles.

    Attributes:
        commit_seconds: how long commits take.
        appended_records: records that became durable.
        appended_bytes: their bytes.
        queue_bytes: what waits for a commit.
        sealed_segments: by reason.
        failures: by cause.
        outages: workers whose log takes nothing now, by cause.
        fails: what is said when it takes nothing.
        is_over: what is said when it takes records again.
        is_behind: what is said when too much waits for the disk.
    """

    commit_seconds: Histogram
    appended_records: Counter
    appended_bytes: Counter
    queue_bytes: Gauge
    sealed_segments: Counter
    failures: Counter
    outages: Gauge
    fails: str
    is_over: str
    is_behind: str


ACCEPTED = Figures(
    commit_seconds=commit_seconds,
    appended_records=appended_records,
    appended_bytes=appended_bytes,
    queue_bytes=queue_bytes,
    sealed_segments=sealed_segments,
    failures=failures,
    outages=outages,
    fails="log takes no events",
    is_over="log takes events again",
    is_behind="log is behind: too much waits to be written",
)
REFUSED = Figures(
    commit_seconds=Histogram(
        "sluice_rejects_log_commit_seconds",
        "As sluice_log_commit_seconds, of the log of refused bodies",
        buckets=(0.001, 0.01, 0.1, 1),
    ),
    appended_records=Counter("sluice_rejects_log_appended_records_total", "Refused requests that became durable"),
    appended_bytes=Counter("sluice_rejects_log_appended_bytes_total", "Bytes of that log that became durable"),
    queue_bytes=Gauge(
        "sluice_rejects_log_queue_bytes",
        "Bytes of that log that wait for a commit or are in one",
        multiprocess_mode="livesum",
    ),
    sealed_segments=Counter("sluice_rejects_log_sealed_segments_total", "Segments of it that were sealed", ["reason"]),
    failures=Counter("sluice_rejects_log_failures_total", "Failures that made that log refuse records", ["cause"]),
    outages=Gauge(
        "sluice_rejects_log_outages",
        "Workers that can keep no refused bodies now, by what failed last",
        ["cause"],
        multiprocess_mode="livesum",
    ),
    fails="refused bodies can't be kept",
    is_over="refused bodies are kept again",
    is_behind="refused bodies come faster than they can be written",
)

# All that are known from the start show 0, and none has to be made on a full disk.
for _figures in (ACCEPTED, REFUSED):
    for _cause in Failure:
        _figures.failures.labels(_cause.value)
        _figures.outages.labels(_cause.value)
    for _seal_reason in SealReason:
        _figures.sealed_segments.labels(_seal_reason.value)
for _damage_reason in DamageReason:
    damages.labels(_damage_reason.value)
