"""How much memory does each process of a service take, and does it stay bounded when the lake stands still?

    python -m bench.backpressure --log-limit-mib 1500 --seconds 15

Method: one service with one worker per core. For each situation the peak of the resident set (VmHWM, reset by
/proc/PID/clear_refs) of every process: idle; as many bodies of 20 events as can be; bodies of --max-body from --large
connections; the same with a lake writer that is stopped, until the log has reached its limit; another --seconds of 503;
then the lake writer catches up, beside the small bodies. `bound` is what docs/operate.md says that each may take.
What would mislead: pages of files and libraries count as resident in each process that uses them; clients on the same
cores make the load smaller than a larger machine would.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import bounds_mib, peaks_mib, reset_peaks
from tests.support.service import Service

_MIB = 2**20
_MAX_BODY_BYTES = 10 * _MIB
# Of bench.load's events: about as many bytes as --max-body lets in.
_EVENTS_OF_A_LARGE_BODY = 36_000


def _row(name: str, mib: dict[str, float]) -> str:
    return f"{name:<28} {mib['supervisor']:>10.0f} {mib['envoy']:>8.0f} {mib['worker']:>8.0f} {mib['lake']:>8.0f}"


@contextmanager
def _situation(service: Service, name: str) -> Iterator[dict[str, Any]]:
    reset_peaks(service)
    notes: dict[str, Any] = {}
    yield notes
    peaks = peaks_mib(service)
    print(_row(name, peaks) + "  " + ", ".join(f"{key} {value}" for key, value in notes.items()), flush=True)


def _load(service: Service, seconds: float, *, connections: int, events: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.load", service.grpc, service.server_key]
    flags = {"--seconds": seconds, "--connections": connections, "--events": events}
    done = subprocess.run(
        [*command, *(str(part) for flag in flags.items() for part in flag)], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return {"answers": found["statuses"], "p99 ms": round(found["p99_ms"]), "broken": found["broken"]}


@contextmanager
def _lake_stopped(service: Service) -> Iterator[None]:
    """Stopped, but let go for a moment now and then, or the supervisor would replace it."""
    over = threading.Event()
    pid = service.pid("lake")

    def hold() -> None:
        os.kill(pid, signal.SIGSTOP)
        while not over.wait(timeout=20):
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.001)
            os.kill(pid, signal.SIGSTOP)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        over.set()
        holding.join()
        os.kill(pid, signal.SIGCONT)


def _measure(service: Service, options: argparse.Namespace) -> None:
    large = {"connections": options.large, "events": _EVENTS_OF_A_LARGE_BODY}
    service.wait_until_all_workers_get_requests(os.cpu_count() or 1)
    service.pid("lake")
    with _situation(service, "idle"):
        time.sleep(3)
    with _situation(service, "small bodies") as notes:
        notes.update(_load(service, options.seconds, connections=32, events=20))
    with _situation(service, "large bodies") as notes:
        notes.update(_load(service, options.seconds, **large))
    with _lake_stopped(service):
        with _situation(service, "large, lake stopped") as notes:
            deadline = time.monotonic() + 240
            while service.is_ready() and time.monotonic() < deadline:
                notes.update(_load(service, 5, **large))
            notes["waiting MiB"] = service.readyz()["lake"]["waiting_bytes"] // _MIB
        with _situation(service, "log full: 503") as notes:
            notes.update(_load(service, options.seconds, **large))
    with _situation(service, "catching up") as notes:
        began = time.monotonic()
        while (left := service.readyz()["lake"]["waiting_bytes"]) > 200 * _MIB and time.monotonic() - began < 120:
            notes.update(_load(service, 5, connections=32, events=20))
        notes["left MiB"] = left // _MIB
        notes["after s"] = round(time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-limit-mib", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--large", type=int, default=32, help="connections that post large bodies")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("flags", nargs="*", help="more for sluice up, behind --")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; peaks in MiB")
    print(f"{'':<28} {'supervisor':>10} {'envoy':>8} {'worker':>8} {'lake':>8}")
    print(_row("bound", bounds_mib(_MAX_BODY_BYTES)))
    with tempfile.TemporaryDirectory(prefix="backpressure-", dir=options.folder) as folder:
        flags = ["--log-limit", f"{options.log_limit_mib}MiB", "--drain-timeout", "600s", *options.flags]
        service = Service(Path(folder) / "data", *flags)
        service.start()
        try:
            _measure(service, options)
        finally:
            # Not drained: that would take as long as the backlog does.
            service.kill("supervisor")
            time.sleep(1)


if __name__ == "__main__":
    main()
