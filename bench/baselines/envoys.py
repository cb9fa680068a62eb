"""Envoys with none of our filters: one that answers by itself, and one that only passes on."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from sluice.edge.binary import find_envoy
from tests.support.waiting import wait_until

__all__ = ["answering", "free_port", "passing_on", "running"]

_LISTENER = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                {route}
"""
_ANSWER = """direct_response: {status: 202, body: {inline_string: '{"success":true}'}}"""
_PASS_ON = """route: {{cluster: behind}}
  clusters:
  - name: behind
    load_assignment:
      cluster_name: behind
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
"""


@contextmanager
def answering(folder: Path) -> Iterator[tuple[str, int]]:
    """One that answers 202 to everything: its address and process id."""
    port = free_port()
    with running(folder / "answering.yaml", _LISTENER.format(port=port, route=_ANSWER), port) as pid:
        yield f"127.0.0.1:{port}", pid


@contextmanager
def passing_on(folder: Path) -> Iterator[tuple[str, int]]:
    """One that passes everything on to one that answers: address and process id of the one that is asked."""
    port = free_port()
    with answering(folder) as (behind, _):
        route = _PASS_ON.format(port=behind.rpartition(":")[2])
        with running(folder / "passing_on.yaml", _LISTENER.format(port=port, route=route), port) as pid:
            yield f"127.0.0.1:{port}", pid


@contextmanager
def running(config: Path, text: str, port: int) -> Iterator[int]:
    """One with this configuration, which listens on this port: its process id."""
    config.write_text(text)
    command = [str(find_envoy()), "-c", str(config), "--concurrency", "2", "--disable-hot-restart", "-l", "error"]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: _answers(port), within_s=20, what="Envoy answers")
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        httpx.post(f"http://127.0.0.1:{port}/", timeout=2)
    except httpx.TransportError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
