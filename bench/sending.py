"""Requests to a service under test, by clients in a process of their own; and a service that has warmed up."""

import re
import sys
import time
from pathlib import Path

import httpx

from bench.clients import Asked, Seen, send_all, write_bodies
from bench.events import Bodies, bodies
from tests.support.service import Service

__all__ = ["acknowledged", "metrics", "send", "send_to", "warm_up"]

# Of each worker.
_WARM_EVENTS, _MOST_WARM_EVENTS = 120_000, 600_000
_COMPILES_WITHIN_S = 300


def send(service: Service, transport: str, folder: Path, requests: Bodies, **how: float) -> Seen:
    """Send requests to a service; as `send_to`."""
    return send_to(service.grpc, service.server_key, transport, folder, requests, **how)


def send_to(address: str, key: str, transport: str, folder: Path, requests: Bodies, **how: float) -> Seen:
    """Send each request once.

    Args:
        address: `host:port`.
        key: the API key.
        transport: `rest` or `grpc`.
        folder: where the bodies are written for the clients to read.
        requests: their bodies.
        how: `clients` that send at a time; `rate` and `seconds`, as Asked has them.
    """
    file = folder / "bodies"
    write_bodies(file, requests.bodies)
    asked = Asked(
        address=address, key=key, transport=transport, file=str(file), clients=int(how["clients"]),
        rate=how.get("rate", 0), seconds=how.get("seconds", 600),
    )  # fmt: skip
    return send_all(asked)


def acknowledged(seen: Seen) -> int:
    """How many requests were."""
    return seen.answers.get("202", 0) + seen.answers.get("OK", 0)


def metrics(service: Service) -> str:
    """What /metrics says."""
    return httpx.get(f"http://{service.admin}/metrics", timeout=10).text


def warm_up(service: Service, transport: str, folder: Path, batch: int, *, seed: int) -> int:
    """Send so many events as let all processes load what is compiled, and wait for it; return how many."""
    told = 0
    workers = max(1, int(_figure(metrics(service), "sluice_workers_ready")))
    deadline = time.monotonic() + _COMPILES_WITHIN_S
    while told == 0 or not _is_compiled(service):
        if time.monotonic() > deadline:
            sys.stderr.write("warning: not all is compiled; what is measured is what goes on without\n")
            break
        # Again where several workers share them.
        if told < workers * _MOST_WARM_EVENTS:
            some = bodies(workers * _WARM_EVENTS, batch=500, seed=seed + told, typed=False)
            send(service, "rest", folder, some, clients=2)
            service.flush()
            told += some.events
        time.sleep(0.5)
    few = bodies(20 * batch, batch=batch, seed=seed + 1, typed=transport == "grpc")
    send(service, transport, folder, few, clients=2)
    service.flush()
    return told + few.events


def _is_compiled(service: Service) -> bool:
    """Whether the lake writer and each worker have loaded what is compiled for them."""
    text = metrics(service)
    checks, workers = _figure(text, "sluice_ingest_compiled_check"), _figure(text, "sluice_workers_ready")
    return _figure(text, "sluice_lake_compiled_decoder") == 1 and 0 < workers <= checks


def _figure(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)", text, re.MULTILINE)
    return float(found.group(1)) if found else 0
