"""How latency grows with throughput, up to the most that a machine does; drawn.

    python -m bench.curve --batches 20 100 --out docs/throughput-latency.svg

Method: one service with its defaults for each size of request. First as fast as --clients can, which finds the highest
load; then an open loop at shares of it, --seconds each: a request's latency counts from the moment at which it was due,
so that a service which stalls can't keep requests from being counted as late. What would mislead: clients and service
share the cores, so that the highest load is that of both together.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from rich.console import Console

from bench.events import Bodies, bodies
from bench.sending import acknowledged, send, warm_up
from bench.used_memory import use_free_memory
from tests.support.service import Service

_SHARES = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0)
# What looks for the highest load, and the most that any load gets, by events of a request.
_REQUESTS_AT_MOST = {1: 30_000, 20: 20_000, 100: 10_000, 500: 3_000}
_PERCENTILES = ("p50", "p90", "p99", "p99.9")


def _points(batch: int, asked: argparse.Namespace) -> list[dict[str, Any]]:
    requests = bodies(_REQUESTS_AT_MOST[batch] * batch, batch=batch, seed=asked.seed, typed=False)
    points: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="sluice-bench-") as name,
        Service(Path(name) / "data") as service,
    ):
        folder = Path(name)
        told = warm_up(service, "rest", folder, batch, seed=asked.seed + 1)
        seen = send(service, "rest", folder, requests, clients=asked.clients)
        highest = acknowledged(seen) / seen.seconds
        told += acknowledged(seen) * batch
        for share in _SHARES:
            count = min(len(requests.bodies), math.ceil(highest * share * asked.seconds))
            some = Bodies(bodies=requests.bodies[:count], events=count * batch, json_bytes=0)
            service.flush()
            seen = send(service, "rest", folder, some, clients=256, rate=highest * share, seconds=asked.seconds)
            told += acknowledged(seen) * batch
            points.append(
                {
                    "share": share,
                    "events_per_s": acknowledged(seen) * batch / seen.seconds,
                    "latencies_ms": seen.latencies_ms,
                    "answers": seen.answers,
                }
            )
            latencies = ", ".join(f"{one} {seen.latencies_ms[one]:.1f} ms" for one in _PERCENTILES)
            Console().print(f"batch {batch}, {share:.0%}: {points[-1]['events_per_s']:,.0f} events/s, {latencies}")
        service.flush()
        [[rows]] = service.rows("select count(*) from events")
        if rows != told:
            raise SystemExit(f"{told:,} events were acknowledged, and {rows:,} are in the lake")
    return points


def _draw(found: dict[int, list[dict[str, Any]]], out: Path) -> None:
    mpl.rcParams["svg.hashsalt"] = "sluice"  # so that the same figures make the same file
    figure, axes = plt.subplots(1, len(found), figsize=(5 * len(found), 3.6), squeeze=False, layout="constrained")
    for at, (batch, points) in zip(axes[0], found.items(), strict=True):
        for one in _PERCENTILES:
            at.plot(
                [point["events_per_s"] / 1000 for point in points],
                [point["latencies_ms"][one] for point in points],
                marker="o",
                markersize=3,
                label=one,
            )
        at.set(
            title=f"{batch} events a request", xlabel="thousand events a second", ylabel="ms until 202", yscale="log"
        )
        at.grid(visible=True, alpha=0.3)
    axes[0][0].legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--batches", nargs="+", type=int, default=[20, 100], choices=_REQUESTS_AT_MOST, help="events of a request"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    parser.add_argument("--clients", type=int, default=32, help="that look for the highest load")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/bench/throughput-latency.svg"))
    asked = parser.parse_args()
    sys.stdout.write(f"{os.cpu_count()} cores, which the clients share\n")
    use_free_memory()
    found = {batch: _points(batch, asked) for batch in asked.batches}
    _draw(found, asked.out)
    figures = Path("build/bench/curve.json")
    figures.parent.mkdir(parents=True, exist_ok=True)
    figures.write_text(json.dumps(found, indent=1))
    sys.stdout.write(f"drawn: {asked.out}\n")


if __name__ == "__main__":
    main()
