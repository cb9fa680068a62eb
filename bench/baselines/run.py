"""Measures the baselines: events per CPU-second of their processes, with the clients and bodies of the matrix."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bench.baselines.envoys import answering, free_port, passing_on
from bench.processes import cpu_seconds
from sluice.edge.config import EdgeConfig
from sluice.edge.process import EnvoyProcess
from tests.support.waiting import wait_until

__all__ = ["BASELINES", "ack_only_worker", "in_front_of", "measure"]

# Where a baseline listens, and the process ids by what they are.
_Running = tuple[str, dict[str, int]]


@contextmanager
def _envoy_answering(folder: Path) -> Iterator[_Running]:
    with answering(folder) as (address, pid):
        yield address, {"envoy": pid}


@contextmanager
def _envoy_passing_on(folder: Path) -> Iterator[_Running]:
    with passing_on(folder) as (address, pid):
        yield address, {"envoy": pid}


@contextmanager
def ack_only_worker(folder: Path, how: str) -> Iterator[tuple[int, str]]:
    """A worker that only acknowledges, as ack_only.py has it: its process id and its socket."""
    socket = folder / "w.sock"
    worker = subprocess.Popen([sys.executable, "-m", "bench.baselines.ack_only", how, str(socket)])
    try:
        wait_until(socket.exists, within_s=20, what="the worker listens")
        yield worker.pid, str(socket)
    finally:
        worker.terminate()
        worker.wait(20)


def in_front_of(worker_socket: str, folder: Path, *, port: int) -> EdgeConfig:
    """What our Envoy is told in front of one worker and without a supervisor."""
    return EdgeConfig(
        listen_host="127.0.0.1",
        listen_port=port,
        admin_socket=str(folder / "envoy.sock"),
        worker_sockets=(worker_socket,),
        supervisor_host="127.0.0.1",
        supervisor_port=9,  # nobody: it is not asked
    )


@contextmanager
def _ack_only(folder: Path, how: str) -> Iterator[_Running]:
    with ack_only_worker(folder, how) as (worker, socket), asyncio.Runner() as runner:
        envoy = EnvoyProcess(in_front_of(socket, folder, port=0), folder)
        runner.run(envoy.start())
        try:
            runner.run(envoy.wait_listening(20))
            wait_until(lambda: runner.run(envoy.workers()).healthy == 1, within_s=20, what="the worker is healthy")
            yield f"127.0.0.1:{envoy.address[1]}", {"envoy": envoy.pid, "workers": worker}
        finally:
            runner.run(envoy.stop(10))


@contextmanager
def _afternoon(folder: Path) -> Iterator[_Running]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.baselines.afternoon:app", "--port", str(port)]
    lake = {"AFTERNOON_LAKE": str(folder)}
    server = subprocess.Popen([*command, "--log-level", "warning"], env=os.environ | lake)
    try:
        wait_until(lambda: _is_there(port), within_s=30, what="uvicorn answers")
        yield f"127.0.0.1:{port}", {"workers": server.pid}
    finally:
        server.terminate()
        server.wait(20)


BASELINES = {
    "Envoy answers by itself": _envoy_answering,
    "Envoy passes on": _envoy_passing_on,
    "our Envoy, grpc.aio that only acknowledges": partial(_ack_only, how="aio"),
    "our Envoy, our server that only acknowledges": partial(_ack_only, how="calls"),
    "FastAPI, pydantic, pyarrow": _afternoon,
}


def measure(name: str, send: Callable[[str], int], *, batch: int) -> dict[str, Any]:
    """Measure one baseline.

    Args:
        name: of `BASELINES`.
        send: sends all requests to an address; returns how many were acknowledged.
        batch: events of a request.
    """
    with (
        tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as folder,
        BASELINES[name](Path(folder)) as (address, pids),
    ):
        before = {role: cpu_seconds(pid) for role, pid in pids.items()}
        events = send(address) * batch
        if name.startswith("FastAPI"):
            httpx.post(f"http://{address}/flush", timeout=120).raise_for_status()
        used = {role: cpu_seconds(pid) - before[role] for role, pid in pids.items()}
    return {
        "name": name,
        "batch": batch,
        "events": events,
        "cpu_s": used,
        "events_per_cpu_s": events / sum(used.values()),
    }


def _is_there(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/docs", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
