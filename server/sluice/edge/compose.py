"""The configuration for compose, where Envoy is a container of its own.

    python -m sluice.edge.compose > envoy/envoy.yaml

writes it anew; a test compares that file with the template. Options are for deployments that differ
(docs/containers.md).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from sluice.edge.config import EdgeConfig, Transcoding, read_upstream
from sluice.edge.render import render

__all__ = ["CA_PATH", "COMPOSE", "CONFIG_PATH", "SOCKETS_FOLDER", "main", "worker_sockets"]

# Where compose.yaml and envoy/Dockerfile put things in Envoy's container.
CONFIG_PATH = "/etc/envoy/envoy.yaml"
SOCKETS_FOLDER = "/run/sluice"
# What Envoy's image trusts.
CA_PATH = "/etc/ssl/certs/ca-certificates.crt"


def worker_sockets(workers: int) -> tuple[str, ...]:
    """The workers' sockets, as the server names them, in the folder that both containers see."""
    return tuple(f"{SOCKETS_FOLDER}/worker-{index}.sock" for index in range(workers))


COMPOSE = EdgeConfig(
    listen_host="0.0.0.0",  # noqa: S104  inside a container: compose says which port of the host leads here
    listen_port=8080,
    # In a folder of its own: Envoy needs no right to write where the workers' sockets are.
    admin_socket="/run/envoy/admin.sock",
    worker_sockets=worker_sockets(2),
    supervisor_host="sluice",
    supervisor_port=9464,
    descriptor_path="/etc/envoy/transcoder.binpb",
    documents_folder="/etc/envoy/documents",
    json_messages=True,
)


def main(arguments: list[str] | None = None) -> None:
    """Print the configuration."""
    parser = argparse.ArgumentParser(prog="python -m sluice.edge.compose", description="Print envoy/envoy.yaml.")
    parser.add_argument("--workers", type=int, default=len(COMPOSE.worker_sockets), help="as SLUICE_WORKERS says")
    parser.add_argument(
        "--max-body-bytes", type=int, default=COMPOSE.max_body_bytes, help="as SLUICE_MAX_BODY says, in bytes"
    )
    parser.add_argument(
        "--transcoding",
        choices=[mode.value for mode in Transcoding],
        default=COMPOSE.transcoding.value,
        help="who takes JSON apart",
    )
    parser.add_argument("--extra-paths", default="", help="further paths for events, with commas between them")
    parser.add_argument("--upstream", help="URL of a server for the requests that are none of events")
    parser.add_argument("--upstream-ca", default=CA_PATH, help="certificates it is checked by, in Envoy's container")
    parser.add_argument("--reflection", action="store_true", help="answer gRPC reflection")
    parser.add_argument("--access-log", action="store_true", help="a line of JSON for each request")
    said = parser.parse_args(arguments)
    config = replace(
        COMPOSE,
        worker_sockets=worker_sockets(said.workers),
        max_body_bytes=said.max_body_bytes,
        transcoding=Transcoding(said.transcoding),
        extra_paths=tuple(said.extra_paths.split(",")) if said.extra_paths else (),
        upstream=read_upstream(said.upstream, ca_path=said.upstream_ca) if said.upstream else None,
        access_log=said.access_log,
        reflection=said.reflection,
    )
    sys.stdout.write(render(config))


if __name__ == "__main__":
    main()
