"""What does a well-behaved client see while others attack, and how much memory does each process take then?

    python -m bench.hostile --seconds 10

Method: one service with one worker per core, and one client that posts 20 events 20 times a second. First without an
attack; then beside each attack of tests/support/hostile.py, which --attackers processes keep up for --seconds. Printed
are what the client was answered, its p50 and p99 as ratios to the quiet run, how often the attackers got what, and the
peak of the resident set of each process (VmHWM, reset before each attack) against its bound in docs/operate.md.
What would mislead: attackers, client and service share the cores, so a ratio says as much of the attackers' work as of
the service's; with fewer attackers than cores it says more.
"""

import argparse
import json
import multiprocessing
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.processes import bounds_mib, peaks_mib, reset_peaks
from tests.support.hostile import CONNECTIONS, REQUESTS, Target, status_of
from tests.support.service import Service

_MAX_BODY_BYTES = 10 * 2**20


def _send(name: str, target: Target, seconds: float) -> dict[int, int]:
    request = next(request for request in REQUESTS if request.name == name)
    sent = request.bytes_for(target)
    end_s = time.monotonic() + seconds
    answers: Counter[int] = Counter()
    while time.monotonic() < end_s:
        answers[status_of(target, sent)] += 1
    return answers


def _keep_up(name: str, target: Target, seconds: float) -> dict[int, int]:
    connections = next(connections for connections in CONNECTIONS if connections.name == name)
    return Counter(connections.keep_up(target, seconds))


def _client(service: Service, seconds: float) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "bench.load", service.grpc, service.server_key]
    flags = {"--seconds": seconds, "--connections": 4, "--events": 20, "--rate": 20}
    return subprocess.Popen([*command, *(str(part) for flag in flags.items() for part in flag)], stdout=subprocess.PIPE)


def _seen(client: "subprocess.Popen[bytes]") -> dict[str, Any]:
    out, _ = client.communicate(timeout=300)
    found: dict[str, Any] = json.loads(out)
    return found


def _row(
    name: str, seen: dict[str, Any], quiet: dict[str, Any], answers: dict[int, int], peaks: dict[str, float]
) -> str:
    client = ", ".join(f"{count} × {status}" for status, count in sorted(seen["statuses"].items()))
    broken = f", {seen['broken']} broken" if seen["broken"] else ""
    attackers = ", ".join(f"{count} × {status or 'closed'}" for status, count in sorted(answers.items()))
    memory = " ".join(f"{peaks[role]:5.0f}" for role in ("supervisor", "envoy", "worker", "lake"))
    ratios = " ".join(f"{seen[key] / quiet[key]:6.1f}" for key in ("p50_ms", "p99_ms"))
    return f"{name:<40} {ratios}  {memory}  {client}{broken} | {attackers}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each attack")
    parser.add_argument("--attackers", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="attacks whose names this regular expression is found in")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; peaks in MiB")
    print(f"{'':<40} {'p50':>6} {'p99':>6}  {'super':>5} {'envoy':>5} {'work.':>5} {'lake':>5}  client | attackers")
    bounds = bounds_mib(_MAX_BODY_BYTES)
    attacks = [(_send, request.name) for request in REQUESTS] + [(_keep_up, held.name) for held in CONNECTIONS]
    context = multiprocessing.get_context("spawn")
    over: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="hostile-") as folder,
        Service(Path(folder) / "data", "--drain-timeout", "300s") as service,
        context.Pool(options.attackers) as pool,
    ):
        service.wait_until_all_workers_get_requests(os.cpu_count() or 1)
        host, _, port = service.grpc.rpartition(":")
        target = Target(host, int(port), service.client_key)
        _seen(_client(service, 3))
        quiet = _seen(_client(service, options.seconds))
        print(f"{'quiet':<40} {quiet['p50_ms']:5.1f}ms {quiet['p99_ms']:5.1f}ms", flush=True)
        print(
            f"{'bound':<55} " + " ".join(f"{bounds[role]:5.0f}" for role in ("supervisor", "envoy", "worker", "lake"))
        )
        for attack, name in attacks:
            if not re.search(options.only, name):
                continue
            reset_peaks(service)
            running = [pool.apply_async(attack, (name, target, options.seconds)) for _ in range(options.attackers)]
            time.sleep(0.5)
            seen = _seen(_client(service, options.seconds - 0.5))
            answers: Counter[int] = Counter()
            for one in running:
                answers += Counter(one.get(timeout=600))
            peaks = peaks_mib(service)
            print(_row(name, seen, quiet, answers, peaks), flush=True)
            over += [f"{name}: {role} took {peak:.0f} MiB" for role, peak in peaks.items() if peak > bounds[role]]
            over += [
                f"{name}: the client was answered {status}"
                for status in seen["statuses"]
                if status not in ("202", "503")
            ]
            expected = next(it.answers for it in (*REQUESTS, *CONNECTIONS) if it.name == name)
            over += [
                f"{name}: an attacker was answered {status}" for status in answers if status not in (*expected, 503)
            ]
    for line in over:
        print(f"out of bounds: {line}")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
