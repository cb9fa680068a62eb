"""Flame graphs of a worker and of the lake writer while requests come in.

    make profile                                         both, REST, 100 events a request
    python -m bench.profile --transport grpc --batch 20

Method: a service that has warmed up (workers and lake writer have loaded what is compiled); py-spy looks at each thread
that runs, some hundred times a second, for as long as the clients send, native code too (--native, where frames without
symbols are numbers). The graphs are SVG files to open in a browser. What would mislead: a share is one of this
process's time, not of the service's; make bench has those.
"""

import argparse
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from bench.events import bodies
from bench.sending import send, warm_up
from tests.support.service import Service

_ROLES = {"worker": "worker-0", "lake": "lake"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transport", default="rest", choices=["rest", "grpc"])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--native", action="store_true", help="frames of C as well; slower")
    parser.add_argument("--out", type=Path, default=Path("build/profile"), help="the folder of the graphs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    spy = Path(sysconfig.get_path("scripts")) / "py-spy"
    flags = ("--workers", "1", "--seal-age", "1s", "--lake-age", "1s")
    with (
        tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder,
        Service(Path(folder) / "data", *flags) as service,
    ):
        warm_up(service, asked.transport, Path(folder), asked.batch, seed=8)
        requests = bodies(asked.events, batch=asked.batch, seed=7, typed=asked.transport == "grpc")
        spies = []
        for role, process in _ROLES.items():
            graph = asked.out / f"{role}-{asked.transport}-{asked.batch}.svg"
            command = [str(spy), "record", "--rate", "200", "--duration", "3600", "--output", str(graph)]
            command += ["--pid", str(service.pid(process)), *(["--native"] if asked.native else [])]
            spies.append((graph, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
        send(service, asked.transport, Path(folder), requests, clients=32)
        service.flush()
        for _, each in spies:
            each.send_signal(signal.SIGINT)
        ended = [each.wait(60) for _, each in spies]
    for (graph, _), code in zip(spies, ended, strict=True):
        print(graph if code == 0 else f"{graph}: py-spy ended with {code}; it needs the right to trace processes")
    return int(any(ended))


if __name__ == "__main__":
    sys.exit(main())
