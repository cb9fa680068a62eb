"""What the doors count. All labels have few values: doors and reasons, nothing that a caller chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.contract import Source
from sluice.error_details import Reason
from sluice.ingest.outcome import reason_of
from sluice.metering import Counter, Gauge

if TYPE_CHECKING:
    from sluice.ingest.outcome import Error
    from sluice.log.ports import Entry

__all__ = [
    "COMPILED_CHECK",
    "FAULTS",
    "IN_FLIGHT_BYTES",
    "OUTAGES",
    "READY",
    "REJECTS_DROPPED",
    "REJECTS_KEPT",
    "count_accepted",
    "count_other_event_count",
    "count_refused",
    "count_set_aside",
    "label_of",
]

_OLDER_LABELS = {Reason.INVALID_EVENTS: "invalid", Reason.INVALID_REQUEST: "invalid"}

_REQUESTS = Counter("sluice_requests_accepted", "Requests that were acknowledged.", ["source"])
_EVENTS = Counter("sluice_events_accepted", "Events of acknowledged requests, without those set aside.", ["source"])
_BODY_BYTES = Counter(
    "sluice_body_bytes_accepted",
    "Bodies of acknowledged requests in bytes, decompressed and without privateAttributes.",
    ["source"],
)
_REFUSED = Counter("sluice_requests_refused", "Requests that were answered with an error, by reason.", ["reason"])
_SET_ASIDE = Counter(
    "sluice_events_quarantined", "Invalid events of acknowledged requests that were set aside.", ["source"]
)
REJECTS_KEPT = Counter("sluice_rejects_kept", "Refused requests that are kept, by reason.", ["reason"])
REJECTS_DROPPED = Counter(
    "sluice_rejects_dropped", "Refused requests of known keys that are not kept, by why.", ["reason"]
)
FAULTS = Counter(
    "sluice_ingest_faults", "Seconds in which a worker had no descriptors left, or could not read the keys.", ["cause"]
)
OUTAGES = Gauge(
    "sluice_ingest_outages",
    "Workers that now have no descriptors left, and take no requests, or can't read the keys.",
    ["cause"],
    multiprocess_mode="livesum",
)
IN_FLIGHT_BYTES = Gauge(
    "sluice_in_flight_bytes", "Bodies that are being handled, in bytes.", multiprocess_mode="livesum"
)
COMPILED_CHECK = Gauge(
    "sluice_ingest_compiled_check", "Workers that check bodies by what was compiled.", multiprocess_mode="livesum"
)
READY = Gauge("sluice_workers_ready", "Workers that take requests.", multiprocess_mode="livesum")

_OTHER_EVENT_COUNTS = Counter(
    "sluice_event_count_differences",
    "Valid requests in which another number of events arrived than their sender says: fewer, or more.",
    ["arrived"],
)

for _arrived in ("fewer", "more"):
    _OTHER_EVENT_COUNTS.labels(_arrived)
for _cause in ("descriptors", "keys"):
    FAULTS.labels(_cause)
    OUTAGES.labels(_cause)

for _source in Source:
    _SET_ASIDE.labels(_source.value)

# labels() looks each up under a lock; once is enough.
_ACCEPTED = {
    source: (_REQUESTS.labels(source.value), _EVENTS.labels(source.value), _BODY_BYTES.labels(source.value))
    for source in Source
}


def count_accepted(entry: Entry) -> None:
    """Count a request that is durable."""
    requests, events, body_bytes = _ACCEPTED[entry.source]
    requests.inc()
    events.inc(entry.event_count - len(entry.quarantined_indices))
    body_bytes.inc(len(entry.body))


def count_set_aside(source: Source, events: int) -> None:
    """Count events that were set aside, durably."""
    _SET_ASIDE.labels(source.value).inc(events)


def count_refused(error: Error) -> None:
    """Count a request that is answered with an error."""
    _REFUSED.labels(label_of(reason_of(error))).inc()


def count_other_event_count(*, fewer: bool) -> None:
    """Count a request in which another number of events arrived than it says."""
    _OTHER_EVENT_COUNTS.labels("fewer" if fewer else "more").inc()


def label_of(reason: Reason) -> str:
    """A reason as the label of a metric: in small letters, but for what was one label before it was two reasons."""
    return _OLDER_LABELS.get(reason) or reason.value.lower()
