"""The sockets of a worker: what it listens on, and Envoy sends to."""

from __future__ import annotations

from pathlib import Path

__all__ = ["tools_socket"]


def tools_socket(worker_socket: str) -> str:
    """Where a worker lets its health be watched, and answers reflection: beside the socket of its doors."""
    path = Path(worker_socket)
    return str(path.with_name(f"{path.stem}-tools{path.suffix}"))
