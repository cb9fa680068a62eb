"""Whether the service is live and ready, and why not. Pure: facts in, answer out.

Live: the supervisor's loop turns. Ready: Envoy listens and answers, recovery is done, a worker has passed its health
check (before that it has read the keys), its last commit or probe write succeeded and left room for another (it looks
each second, also when nobody posts), it has file descriptors left, and no drain has begun. How far the lake is behind
makes nothing unready.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sluice.supervisor.health import Health

__all__ = ["LIVE_WITHIN_S", "Facts", "Reason", "is_live", "reasons_not_ready"]

LIVE_WITHIN_S = 10.0


class Reason(Enum):
    """Why the service is not ready. The values are an interface: `/readyz` and `sluice status` print them."""

    DRAINING = "draining"
    RECOVERY_RUNS = "recovery_runs"
    EDGE_NOT_LISTENING = "edge_not_listening"
    EDGE_SILENT = "edge_silent"
    NO_WORKER_HEALTHY = "no_worker_healthy"
    LOG_UNWRITABLE = "log_unwritable"
    NO_DESCRIPTORS = "no_descriptors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What readiness depends on.

    Attributes:
        draining: a drain has begun.
        recovered: what earlier processes left in the log is sealed.
        edge_listens: Envoy takes connections; of an external one nobody here can know: this and the next are then true.
        edge_found_worker: it has found a worker to send requests to since it started; until then it answers 503.
        edge_answers: Envoy answers on its own admin interface; one that doesn't hangs.
        workers: the health of each. One that answers, but not that it serves, can't write its log, or has no file
            descriptors left.
        workers_healthy: how many Envoy sends requests to, by its own checks; with an external Envoy, how many serve.
        log_causes: why workers that don't serve can't write their log, as labels of `sluice_log_failures_total`.
        without_descriptors: how many workers have no file descriptors left.
    """

    draining: bool = False
    recovered: bool = False
    edge_listens: bool = False
    edge_found_worker: bool = True
    edge_answers: bool = True
    workers: tuple[Health, ...] = ()
    workers_healthy: int = 0
    log_causes: tuple[str, ...] = ()
    without_descriptors: int = 0


def reasons_not_ready(facts: Facts) -> tuple[Reason, ...]:
    """Every reason why the service is not ready; none: it is."""
    serves = Health.SERVING in facts.workers
    refuse = not serves and Health.NOT_SERVING in facts.workers
    checks = {
        Reason.DRAINING: facts.draining,
        Reason.RECOVERY_RUNS: not facts.recovered,
        Reason.EDGE_NOT_LISTENING: not facts.edge_listens,
        Reason.EDGE_SILENT: not facts.edge_answers,
        Reason.NO_WORKER_HEALTHY: not refuse and not (serves and facts.edge_found_worker),
        # Also of a worker that can't say why: there is no third cause.
        Reason.LOG_UNWRITABLE: refuse and (bool(facts.log_causes) or not facts.without_descriptors),
        Reason.NO_DESCRIPTORS: refuse and facts.without_descriptors > 0,
    }
    return tuple(reason for reason, holds in checks.items() if holds)


def is_live(*, turned_at: float, now: float) -> bool:
    """Whether the supervisor's loop has turned lately; both times in seconds on one clock."""
    return now - turned_at <= LIVE_WITHIN_S
