"""Ask a running service how it is, on its admin port."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AdminUnreachable", "Counts", "Readiness", "ask_counts", "ask_readiness"]

_TIMEOUT_S = 5.0
_MAX_ANSWER_BYTES = 16 * 1024 * 1024


class AdminUnreachable(SluiceError):
    """The admin port doesn't answer, or not as that of Sluice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a service takes requests.

    Attributes:
        ready: it does.
        reasons: why it doesn't.
        workers_healthy: workers that get requests.
        log_causes: why a worker's log takes nothing.
    """

    ready: bool
    reasons: tuple[str, ...]
    workers_healthy: int
    log_causes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What all workers counted since the service started.

    Attributes:
        requests_accepted: acknowledged.
        events_accepted: in those requests.
        refused: requests that workers answered with an error, by reason.
        turned_away: requests that Envoy answered with 503, as it saw no healthy worker.
        events_set_aside: invalid events of acknowledged requests.
        rejects_kept: refused requests that are kept, by reason.
        rejects_dropped: those of known keys that are not, by why.
        lake_causes: what keeps segments from being published, now.
    """

    requests_accepted: int
    events_accepted: int
    refused: Mapping[str, int]
    turned_away: int
    events_set_aside: int
    rejects_kept: Mapping[str, int]
    rejects_dropped: Mapping[str, int]
    lake_causes: tuple[str, ...]


def ask_readiness(admin: str) -> Readiness:
    """Ask /readyz.

    Args:
        admin: `host:port`, as run.json says.

    Raises:
        AdminUnreachable: nobody answers there, or with something else.
    """
    _, body = _get(admin, "/readyz")
    try:
        answer = json.loads(body)
        return Readiness(
            ready=answer["ready"] is True,
            reasons=tuple(str(reason) for reason in answer["reasons"]),
            workers_healthy=int(answer["workers_healthy"]),
            log_causes=tuple(str(cause) for cause in answer.get("log_causes", ())),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise AdminUnreachable(f"http://{admin}/readyz: not the answer of Sluice") from exc


def ask_counts(admin: str) -> Counts:
    """Ask /metrics.

    Args:
        admin: `host:port`, as run.json says.

    Raises:
        AdminUnreachable: nobody answers there, or with something else.
    """
    status, body = _get(admin, "/metrics")
    if status != http.client.OK:
        raise AdminUnreachable(f"http://{admin}/metrics: answered {status}")
    try:
        totals = telemetry.parse_metrics(body.decode())
        return Counts(
            requests_accepted=totals.of("sluice_requests_accepted_total"),
            events_accepted=totals.of("sluice_events_accepted_total"),
            refused=totals.by("sluice_requests_refused_total", "reason"),
            turned_away=totals.of("sluice_requests_turned_away_total"),
            events_set_aside=sum(totals.by("sluice_events_quarantined_total", "source").values()),
            rejects_kept=totals.by("sluice_rejects_kept_total", "reason"),
            rejects_dropped=totals.by("sluice_rejects_dropped_total", "reason"),
            lake_causes=tuple(
                sorted(cause for cause, is_on in totals.by("sluice_lake_outages", "cause").items() if is_on)
            ),
        )
    except (ValueError, KeyError) as exc:
        raise AdminUnreachable(f"http://{admin}/metrics: not the answer of Sluice") from exc


def _get(admin: str, path: str) -> tuple[int, bytes]:
    if not admin:
        raise AdminUnreachable("the admin port is not open yet", hint="the service is starting; see its messages")
    host, _, port = admin.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as exc:
        raise AdminUnreachable(
            f"http://{admin}{path}: {exc}", hint="the service may be starting or hung; see its messages"
        ) from exc
    finally:
        connection.close()
