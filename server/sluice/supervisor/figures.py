"""Figures of the running service: how far the lake is behind, what was accepted, what is in the lake."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from sluice import disk
from sluice.log.segment import Folders, parse_id, parse_sealed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Counts", "LakeLag", "lake_lag", "read_counts"]

_UUID_CHARACTERS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeLag:
    """What was acknowledged and is not in the lake. The names are keys of `/readyz`: added to, never renamed.

    Attributes:
        waiting_segments: segments that are written to, or are sealed and wait.
        waiting_bytes: their bytes.
        oldest_waiting_s: how long ago the oldest of them was begun, in seconds; 0 when nothing waits.
    """

    waiting_segments: int = 0
    waiting_bytes: int = 0
    oldest_waiting_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What all processes of this service have counted since its start.

    Attributes:
        events_accepted: events of acknowledged requests.
        rows: rows published to the lake, those that an earlier run had acknowledged among them.
    """

    events_accepted: int
    rows: int


def lake_lag(data_dir: Path, *, now: float) -> LakeLag:
    """Find how far the lake is behind, by the names and sizes of the log's segments.

    Args:
        data_dir: the data folder.
        now: seconds since the epoch.
    """
    folders = Folders(data_dir / "log")
    sizes: dict[str, int] = {}
    for name in disk.entries(folders.open):
        if parse_id(name) is not None:
            try:
                size = disk.size_of(folders.open / name)
            except FileNotFoundError:
                continue  # it was sealed meanwhile, and is found there
            if size:  # else it holds nothing that was acknowledged
                sizes[name] = size
    for name in disk.entries(folders.sealed):
        if (sealed := parse_sealed(name)) is not None:
            sizes[sealed.id] = sealed.size_bytes
    begun = [_begun_at(segment_id) for segment_id in sizes]
    return LakeLag(
        waiting_segments=len(sizes),
        waiting_bytes=sum(sizes.values()),
        oldest_waiting_s=round(max(0.0, now - min(begun)), 3) if begun else 0.0,
    )


def read_counts(metrics: Path) -> Counts:
    """Add up what the processes have counted.

    Args:
        metrics: the folder in which their metrics meet.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=os.fspath(metrics))  # type: ignore[no-untyped-call]  # the library has no types here
    totals = {"sluice_events_accepted": 0.0, "sluice_lake_rows": 0.0}
    for family in registry.collect():
        if family.name in totals:
            totals[family.name] = sum(s.value for s in family.samples if s.name == f"{family.name}_total")
    return Counts(events_accepted=int(totals["sluice_events_accepted"]), rows=int(totals["sluice_lake_rows"]))


def _begun_at(segment_id: str) -> float:
    """When a segment was begun, in seconds since the epoch. RFC 9562, section 5.7: a UUIDv7's first 48 bits, in ms."""
    try:
        return (uuid.UUID(segment_id[-_UUID_CHARACTERS:]).int >> 80) / 1000
    except ValueError:
        return time.time()
