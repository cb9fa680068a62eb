"""What the supervisor counts. Imported when the folder of metrics is known: prometheus_client looks for it once."""

from __future__ import annotations

from sluice.metering import Counter, Gauge

__all__ = [
    "CLOCK_STEPS",
    "ENDS",
    "FAILURES",
    "LIMIT_BYTES",
    "READY",
    "REJECTS_WAITING_BYTES",
    "TURNED_AWAY",
    "WAITING_BYTES",
    "WAITING_SECONDS",
]

ENDS = Counter("sluice_child_ends", "Runs of child processes that ended without being told to.", ["child"])
FAILURES = Counter("sluice_supervisor_failures", "What the supervisor could not do, and tries again.", ["cause"])
CLOCK_STEPS = Counter("sluice_clock_steps", "Times that the clock was set by a second or more.", ["direction"])
TURNED_AWAY = Counter(
    "sluice_requests_turned_away", "Requests that Envoy itself answered with 503, as it saw no healthy worker."
)
READY = Gauge("sluice_ready", "1 when the service is ready, else 0.", multiprocess_mode="livemax")
WAITING_SECONDS = Gauge(
    "sluice_log_oldest_waiting_seconds",
    "Seconds since the oldest segment that is not in the lake was begun; 0 when none waits.",
    multiprocess_mode="livemax",
)
WAITING_BYTES = Gauge(
    "sluice_log_waiting_bytes", "Bytes of the log that are not in the lake.", multiprocess_mode="livemax"
)
REJECTS_WAITING_BYTES = Gauge(
    "sluice_rejects_log_waiting_bytes",
    "Bytes of the log of refused requests that are not in the lake.",
    multiprocess_mode="livemax",
)
LIMIT_BYTES = Gauge(
    "sluice_log_limit_bytes",
    "How many bytes of the log may wait for the lake before requests get 503.",
    multiprocess_mode="livemax",
)

for _cause in ("recovery", "run_file", "first_keys", "child_start", "log_unlisted"):
    FAILURES.labels(_cause)
for _direction in ("back", "forward"):
    CLOCK_STEPS.labels(_direction)
