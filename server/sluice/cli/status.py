"""`sluice status`: how the service is, and how far the lake has come; the folder's part also without a service."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from sluice.cli.options import AsJson, Config, DataDir, existing_data_dir
from sluice.cli.output import print_json, print_line, say
from sluice.cli.pasted import command_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    """The names are the keys of `--json`: some may be added, none renamed. None: it can't be known now."""

    ready: bool
    reasons: tuple[str, ...]
    log_causes: tuple[str, ...]
    pid: int | None
    edge: str | None
    listen: str | None
    admin: str | None
    workers_healthy: int | None
    requests_accepted: int | None
    events_accepted: int | None
    refused: Mapping[str, int] | None
    turned_away: int | None
    events_set_aside: int | None
    rejects_kept: Mapping[str, int] | None
    rejects_dropped: Mapping[str, int] | None
    lake_causes: tuple[str, ...] | None
    rows_in_lake: int | None
    rejects_in_lake: int | None
    waiting_segments: int
    waiting_bytes: int
    oldest_waiting_s: float
    rejects_waiting_segments: int
    rejects_waiting_bytes: int
    damaged: Mapping[str, int]
    disk_free_bytes: int


def status(*, as_json: AsJson = False, data_dir: DataDir = None, config: Config = None) -> None:
    """Tell how the service is, and the lake.

    Whether it is ready, or why not; what it accepted and refused; rows in the lake; what waits for it; what was set
    aside as damaged; disk left. Exits with 1 when it is not ready. Without a running service it tells what the folder
    shows.

    sluice status
    """
    folder = existing_data_dir(data_dir, config)
    found = _find(folder)
    if as_json:
        print_json(asdict(found))
    else:
        for name, text in _lines(folder, found):
            print_line(f"{name:<18} {text}")
    if not found.ready:
        raise typer.Exit(1)


def _find(data_dir: Path) -> _Status:
    from sluice import disk  # noqa: PLC0415  these take 0.3 s, which --help needn't take
    from sluice.cli.admin_client import (  # noqa: PLC0415  as above
        AdminUnreachable,
        Counts,
        Readiness,
        ask_counts,
        ask_readiness,
    )
    from sluice.supervisor.figures import count_damaged, lake_lag  # noqa: PLC0415  as above
    from sluice.supervisor.run_file import read_run_file  # noqa: PLC0415  as above

    run = read_run_file(data_dir)
    readiness: Readiness | None = None
    counts: Counts | None = None
    reasons: tuple[str, ...]
    if run is None or not run.is_alive:
        # A disk that is full or read-only may keep a service from writing run.json.
        is_untold = run is None and disk.is_locked(data_dir)
        run = None
        reasons = ("run_file_missing",) if is_untold else ("not_running",)
        if is_untold:
            say(f"a service has {data_dir} and no run.json there: it is starting, or can't write it; see its messages")
    else:
        try:
            readiness, counts = ask_readiness(run.admin), ask_counts(run.admin)
            reasons = readiness.reasons
        except AdminUnreachable as exc:
            say(exc.message)
            readiness, reasons = None, ("admin_unreachable",)
    lag = lake_lag(data_dir, now=time.time())
    rows, rejects = _rows_in_lake(data_dir)
    return _Status(
        ready=readiness is not None and readiness.ready,
        reasons=reasons,
        log_causes=() if readiness is None else readiness.log_causes,
        pid=None if run is None else run.supervisor.pid,
        edge=None if run is None else run.edge,
        listen=None if run is None else run.listen,
        admin=None if run is None else run.admin,
        workers_healthy=None if readiness is None else readiness.workers_healthy,
        requests_accepted=None if counts is None else counts.requests_accepted,
        events_accepted=None if counts is None else counts.events_accepted,
        refused=None if counts is None else counts.refused,
        turned_away=None if counts is None else counts.turned_away,
        events_set_aside=None if counts is None else counts.events_set_aside,
        rejects_kept=None if counts is None else counts.rejects_kept,
        rejects_dropped=None if counts is None else _counted(counts.rejects_dropped),
        lake_causes=None if counts is None else counts.lake_causes,
        rows_in_lake=rows,
        rejects_in_lake=rejects,
        waiting_segments=lag.waiting_segments,
        waiting_bytes=lag.waiting_bytes,
        oldest_waiting_s=lag.oldest_waiting_s,
        rejects_waiting_segments=lag.rejects_waiting_segments,
        rejects_waiting_bytes=lag.rejects_waiting_bytes,
        damaged={str(folder): count for folder, count in count_damaged(data_dir).items()},
        disk_free_bytes=disk.free_bytes(data_dir),
    )


def _counted(by_reason: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in by_reason.items() if count}


def _rows_in_lake(data_dir: Path) -> tuple[int | None, int | None]:
    """How many rows each table has; None: it can't be known now."""
    import duckdb  # noqa: PLC0415  as above

    from sluice.lake.query import connect  # noqa: PLC0415  as above

    try:
        with connect(data_dir) as connection:
            [[events]] = connection.execute("SELECT count(*) FROM events").fetchall()
            [[rejects]] = connection.execute("SELECT count(*) FROM rejects").fetchall()
    except duckdb.Error as exc:
        say(f"the lake can't be read: {exc}")
        return None, None
    return int(events), int(rejects)


def _lines(data_dir: Path, found: _Status) -> Iterator[tuple[str, str]]:
    yield "state", "ready" if found.ready else f"not ready: {_in_words(found.reasons)}"
    if found.log_causes:
        yield "log trouble", _in_words(found.log_causes)
    if found.pid is not None:
        yield "process", str(found.pid)
        instead = "what an external Envoy listens on" if found.edge == "external" else "nothing yet"
        yield "listens on", found.listen or instead
    if found.workers_healthy is not None:
        yield "healthy workers", f"{found.workers_healthy:,}"
    if found.events_accepted is not None:
        yield "events accepted", f"{found.events_accepted:,} in {found.requests_accepted:,} requests since the start"
        refused = ", ".join(f"{count:,} {reason}" for reason, count in sorted((found.refused or {}).items()))
        yield "requests refused", refused or "none"
        if found.turned_away:
            yield "turned away", f"{found.turned_away:,} requests, by Envoy with 503 while it saw no healthy worker"
        if found.events_set_aside:
            yield "events set aside", f"{found.events_set_aside:,}"
        if found.rejects_dropped:
            dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.rejects_dropped.items()))
            yield "rejects not kept", dropped
    if found.lake_causes:
        yield "lake trouble", _in_words(found.lake_causes)
    yield "rows in the lake", "unknown" if found.rows_in_lake is None else f"{found.rows_in_lake:,}"
    oldest = f", the oldest since {found.oldest_waiting_s:.0f} s" if found.waiting_segments else ""
    yield "waiting for it", f"{found.waiting_segments:,} segments, {found.waiting_bytes:,} bytes{oldest}"
    if found.rejects_in_lake or found.rejects_waiting_segments:
        waiting = f"{found.rejects_waiting_segments:,} segments, {found.rejects_waiting_bytes:,} bytes, wait"
        in_lake = "unknown" if found.rejects_in_lake is None else f"{found.rejects_in_lake:,}"
        yield "rejects", f"{in_lake} in the lake; {waiting}"
    for folder, count in found.damaged.items():
        yield "damaged", f"{count:,} in {folder}, set aside from the log"
    if found.damaged:
        which, rest = command_on(data_dir, "log list"), command_on(data_dir, "log verify")
        yield "see", f"which, and why: {which}; whether the rest is whole: {rest}"
    yield "disk left", f"{found.disk_free_bytes / 2**20:,.0f} MiB"


def _in_words(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
