"""Does a lake writer that catches up starve the doors, and do doors under full load starve the lake writer?

    python -m bench.fairness --backlog-mib 1500 --nice 0,5,10,19 --rounds 2

Method: a service with one worker per core, and a backlog that was appended before it started. Clients post bodies of 20
events, first as many as can be (`full`), then at --rate (`part`). In each round, and for each niceness, the same load
runs for --seconds beside a lake writer that is stopped (SIGSTOP: the baseline), and beside one that catches up; the
latter's figures are divided by the former's. `lake MiB/s` is how fast the backlog went down plus what was added, in
bytes of the log; `added` is what the doors added meanwhile: a lake writer that takes less falls behind.
What would mislead: a backlog that ends before the phase does (the bench stops then); fewer cores than two, or other
work on them; the clients, which take a part of the same cores, as the line `clients` tells.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.backlog import append_backlog
from bench.processes import cpu_seconds
from tests.support.service import Service


def _renice(pid: int, niceness: int) -> None:
    # Where sessions are groups to the scheduler, that of a process within its own says nothing: sched(7), autogroup.
    autogroup = Path(f"/proc/{pid}/autogroup")
    if autogroup.exists():
        autogroup.write_text(str(niceness))
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(task.name), niceness)


def _load(service: Service, *, seconds: float, connections: int, rate: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.load", service.grpc, service.server_key]
    flags = {"--seconds": seconds, "--connections": connections, "--rate": rate}
    done = subprocess.run(
        [*command, *(str(part) for flag in flags.items() for part in flag)], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _waiting_bytes(service: Service) -> int:
    return sum(
        path.stat().st_size for folder in ("open", "sealed") for path in (service.data_dir / "log" / folder).iterdir()
    )


def _phase(service: Service, options: argparse.Namespace, rate: float, niceness: int | None) -> dict[str, float]:
    lake = service.pid("lake")
    if niceness is not None:
        _renice(lake, niceness)
        os.kill(lake, signal.SIGCONT)
    waiting, cpu_s = _waiting_bytes(service), cpu_seconds(lake)
    found = _load(service, seconds=options.seconds, connections=options.connections, rate=rate)
    os.kill(lake, signal.SIGSTOP)
    left = _waiting_bytes(service)
    if left < 64 << 20 and niceness is not None:
        sys.exit("the backlog has ended; give a larger --backlog-mib")
    added = found["per_s"] * options.seconds * found["body_bytes"]
    return {
        "per_s": found["per_s"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "added": added / options.seconds / 2**20,
        "taken": (waiting + added - left) / options.seconds / 2**20,
        "lake_cores": (cpu_seconds(lake) - cpu_s) / options.seconds,
        "clients_cores": found["cpu_s"] / options.seconds,
    }


def _row(name: str, base: list[dict[str, float]], found: list[dict[str, float]]) -> str:
    def ratio(key: str) -> float:
        return statistics.median(now[key] / before[key] for now, before in zip(found, base, strict=True))

    def middle(key: str) -> float:
        return statistics.median(one[key] for one in found)

    return (
        f"{name:<16} {middle('per_s'):>8.0f} {ratio('per_s'):>6.2f} {middle('p50_ms'):>8.1f} {ratio('p50_ms'):>6.2f}"
        f" {middle('p99_ms'):>8.1f} {ratio('p99_ms'):>6.2f} {middle('taken'):>10.1f} {middle('added'):>7.1f}"
        f" {middle('lake_cores'):>6.2f} {middle('clients_cores'):>8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlog-mib", type=int, default=1500)
    parser.add_argument("--nice", default="0,5,10,19", help="of the lake writer, comma-separated")
    parser.add_argument("--rate", type=float, default=500, help="requests a second of the partial load")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    steps = [int(text) for text in options.nice.split(",")]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fairness-", dir=options.folder) as folder:
        data_dir = Path(folder) / "data"
        append_backlog(data_dir, options.backlog_mib << 20, seal_size_bytes=8 << 20)
        with Service(data_dir, "--lake-size", "8MiB", "--drain-timeout", "600s") as service:
            os.kill(service.pid("lake"), signal.SIGSTOP)
            service.wait_until_all_workers_get_requests(os.cpu_count() or 1)
            _load(service, seconds=2, connections=8, rate=0)
            header = (
                f"{'lake writer':<16} {'acks/s':>8} {'ratio':>6} {'p50 ms':>8} {'ratio':>6} {'p99 ms':>8} {'ratio':>6}"
            )
            for name, rate in (("full", 0.0), ("part", options.rate)):
                print(f"{name} load\n{header} {'lake MiB/s':>10} {'added':>7} {'cores':>6} {'clients':>8}")
                base: list[dict[str, float]] = []
                found: dict[int, list[dict[str, float]]] = {step: [] for step in steps}
                for _ in range(options.rounds):
                    base.append(_phase(service, options, rate, None))
                    for step in steps:
                        found[step].append(_phase(service, options, rate, step))
                print(_row("stopped", base, base))
                for step in steps:
                    print(_row(f"nice {step}", base, found[step]), flush=True)
            os.kill(service.pid("lake"), signal.SIGKILL)
            service.kill("supervisor")
            time.sleep(1)  # its children end by themselves, before their folder goes


if __name__ == "__main__":
    main()
