"""Figures of a service and its folder: how far the lake is behind, what was set aside, what was accepted, and so on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.log.backlog import backlog
from sluice.log.refused import refused_log
from sluice.log.segment import LOG_FOLDER, Folders
from sluice.log.segment_files import damaged_files

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Counts", "LakeLag", "Refusals", "count_damaged", "lake_lag", "read_counts", "read_refusals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeLag:
    """What was acknowledged, or refused and kept, and is not in the lake.

    The names are keys of `/readyz`: added to, never renamed.

    Attributes:
        waiting_segments: segments that are written to, or are sealed and wait.
        waiting_bytes: their bytes.
        oldest_waiting_s: how long ago the oldest of them was begun, in seconds; 0 when nothing waits.
        rejects_waiting_segments: segments of refused requests that wait.
        rejects_waiting_bytes: their bytes.
    """

    waiting_segments: int = 0
    waiting_bytes: int = 0
    oldest_waiting_s: float = 0.0
    rejects_waiting_segments: int = 0
    rejects_waiting_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What all processes of this service have counted since its start.

    Attributes:
        events_accepted: events of acknowledged requests.
        rows: rows published to the lake, those that an earlier run had acknowledged among them.
    """

    events_accepted: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Why workers take no requests, as far as they can say it.

    Attributes:
        log_causes: why their logs take no records, in the words of `sluice_log_failures_total`.
        without_descriptors: how many have no file descriptors left.
    """

    log_causes: tuple[str, ...] = ()
    without_descriptors: int = 0


def lake_lag(data_dir: Path, *, now: float) -> LakeLag:
    """Find how far the lake is behind, by the names and sizes of the log's segments.

    Args:
        data_dir: the data folder.
        now: seconds since the epoch.
    """
    waiting = backlog(Folders(data_dir / LOG_FOLDER))
    refused = backlog(Folders(refused_log(data_dir)))
    return LakeLag(
        waiting_segments=len(waiting),
        waiting_bytes=sum(segment.size_bytes for segment in waiting),
        oldest_waiting_s=round(max(0.0, now - min((segment.begun_at for segment in waiting), default=now)), 3),
        rejects_waiting_segments=len(refused),
        rejects_waiting_bytes=sum(segment.size_bytes for segment in refused),
    )


def count_damaged(data_dir: Path) -> dict[Path, int]:
    """How many parts of each log were set aside as damaged, by the folder that has them; without those that have none.

    A part is a stretch of a segment, a whole one, or what is missing of one. Looked at or not, it counts until somebody
    takes it away.

    Raises:
        OSError: a folder can't be listed.
    """
    logs = (Folders(data_dir / LOG_FOLDER), Folders(refused_log(data_dir)))
    return {folders.damaged: count for folders in logs if (count := len(damaged_files(folders.log)))}


def read_counts(metrics: Path) -> Counts:
    """Add up what the processes have counted.

    Args:
        metrics: the folder in which their metrics meet.
    """
    totals = telemetry.read_metrics(metrics)
    return Counts(events_accepted=totals.of("sluice_events_accepted_total"), rows=totals.of("sluice_lake_rows_total"))


def read_refusals(metrics: Path) -> Refusals:
    """Why workers take no requests now.

    Args:
        metrics: the folder in which the metrics of all processes meet.

    Raises:
        OSError: they can't be read.
    """
    totals = telemetry.read_metrics(metrics)
    return Refusals(
        log_causes=tuple(sorted(cause for cause, count in totals.by("sluice_log_outages", "cause").items() if count)),
        without_descriptors=totals.by("sluice_ingest_outages", "cause").get("descriptors", 0),
    )
