"""The configuration for compose, where Envoy is a container of its own.

    python -m sluice.edge.compose > envoy/envoy.yaml

writes it anew; a test compares that file with the template.
"""

from __future__ import annotations

import sys

from sluice.edge.config import EdgeConfig
from sluice.edge.render import render

__all__ = ["COMPOSE"]

# Two workers that share a folder of sockets with Envoy's container.
COMPOSE = EdgeConfig(
    listen_host="0.0.0.0",  # noqa: S104  inside a container: compose says which port of the host leads here
    listen_port=8080,
    admin_socket="/run/sluice/envoy.sock",
    worker_sockets=("/run/sluice/worker-0.sock", "/run/sluice/worker-1.sock"),
    supervisor_host="sluice",
    supervisor_port=9464,
    descriptor_path="/etc/envoy/transcoder.binpb",
)


if __name__ == "__main__":
    sys.stdout.write(render(COMPOSE))
