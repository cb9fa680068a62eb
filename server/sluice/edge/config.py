"""What the edge is told: plain values, checked when they are put together."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum

from sluice.edge.paths import check_extra_paths
from sluice.errors import SluiceError
from sluice.worker_sockets import tools_socket

__all__ = ["EdgeConfig", "Transcoding", "UnusableEdgeConfig", "Upstream", "is_ip_address", "read_upstream"]

# sockaddr_un.sun_path holds 108 bytes, the last of them a zero.
_MAX_SOCKET_PATH_BYTES = 107

_MIB = 1024 * 1024

_MAX_PORT = 65535
_UPSTREAM = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([0-9]{1,5}))?/?", re.ASCII
)
# What can only be meant as an address.
_NUMERIC = re.compile(r"[0-9.]+|.*:.*", re.ASCII)


class Transcoding(Enum):
    """Which service Envoy calls for JSON requests; the values are those of the setting."""

    BODY = "body"
    TYPED = "typed"


class UnusableEdgeConfig(SluiceError):
    """Envoy could not run with these values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where requests go that are none of events.

    Attributes:
        tls: whether by https; certificate and name are checked.
        host: a name or an IP address, without brackets.
        port: of the host.
        ca_path: the file of certificates that are trusted; empty: this system's own.
    """

    tls: bool
    host: str
    port: int
    ca_path: str = ""

    @property
    def authority(self) -> str:
        """What stands in the header `host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """One Envoy: where it listens, what stands behind it, and its bounds.

    Attributes:
        listen_host: the IP address to listen on.
        listen_port: the port; 0 takes any free one.
        admin_socket: path of the Unix socket for Envoy's own admin interface.
        worker_sockets: path of each worker's Unix socket.
        supervisor_host: where the supervisor answers /livez and /readyz; an IP address or a name.
        supervisor_port: its port there.
        descriptor_path: Envoy's descriptor set; empty: the one of the installed package.
        documents_folder: what is served of the API's description; empty: that of the installed package.
        transcoding: which service JSON requests go to.
        extra_paths: further paths for events, beside those that SDKs know (paths.py).
        upstream: where requests go that are none of events; None: they are answered 404.
        max_body_bytes: largest body, decompressed; every other limit on bytes follows from it (limits.py).
        max_connections: more are closed as soon as they are made.
        max_requests: more at a time are answered 503.
        worker_requests: how many of them one worker has at a time; the others wait. One for each of Envoy's threads it
            has in any case.
        max_heap_bytes: near it, new requests are answered 503.
        concurrency: Envoy's worker threads.
        request_timeout_s: a request that takes longer to arrive is answered 408.
        answer_timeout_s: a worker that takes longer to answer is given up, with 504. Longer than any SDK waits (3 to
            20 s), so that Envoy never loses an answer that somebody still waits for.
        idle_timeout_s: an idle connection is closed.
        reflection: whether callers may ask by gRPC reflection which services there are.
        drain_s: how long new connections are still taken after a drain has begun, at most. While clients come back
            for more, the drain lasts that long.
        access_log: a line of JSON on standard error for each request. Queries are left out: the API key may stand
            there.
        json_messages: Envoy's messages are lines of JSON, as those of the other processes.
    """

    listen_host: str
    listen_port: int
    admin_socket: str
    worker_sockets: tuple[str, ...]
    supervisor_host: str
    supervisor_port: int
    descriptor_path: str = ""
    documents_folder: str = ""
    transcoding: Transcoding = Transcoding.BODY
    extra_paths: tuple[str, ...] = ()
    upstream: Upstream | None = None
    max_body_bytes: int = 10 * _MIB
    max_connections: int = 10_000
    max_requests: int = 1024
    worker_requests: int = 48
    max_heap_bytes: int = 1024 * _MIB
    concurrency: int = 2
    request_timeout_s: int = 30
    answer_timeout_s: int = 30
    idle_timeout_s: int = 300
    reflection: bool = False
    drain_s: int = 1
    access_log: bool = False
    json_messages: bool = False

    def __post_init__(self) -> None:
        if not is_ip_address(self.listen_host):
            raise UnusableEdgeConfig(
                f'"{self.listen_host}" is not an IP address', hint="listen on 127.0.0.1, 0.0.0.0 or another IP address"
            )
        check_extra_paths(self.extra_paths)
        if not self.worker_sockets:
            raise UnusableEdgeConfig("there is no worker to send requests to", hint="start at least one worker")
        for path in (self.admin_socket, *self.worker_sockets, *map(tools_socket, self.worker_sockets)):
            if len(path.encode()) > _MAX_SOCKET_PATH_BYTES:
                raise UnusableEdgeConfig(
                    f"the path of a socket is longer than {_MAX_SOCKET_PATH_BYTES} bytes: {path}",
                    hint="set TMPDIR to a shorter folder",
                )


def read_upstream(url: str, *, ca_path: str = "") -> Upstream:
    """Read the URL of an upstream, such as `https://api.example.com` or `http://127.0.0.1:9000`.

    Raises:
        UnusableEdgeConfig: it is none, or has more than scheme, host and port.
    """
    hint = "write https://api.example.com or http://127.0.0.1:9000"
    match = _UPSTREAM.fullmatch(url.strip())
    if match is None:
        # Without the text: a user's password may stand in it.
        raise UnusableEdgeConfig("not the URL of a server, without user, path and query", hint=hint)
    tls, host = match[1] == "https", match[2].strip("[]").lower()
    if _NUMERIC.fullmatch(host) and not is_ip_address(host):
        raise UnusableEdgeConfig(f'"{host}" is not an IP address', hint=hint)
    port = int(match[3]) if match[3] else (443 if tls else 80)
    if not 0 < port <= _MAX_PORT:
        raise UnusableEdgeConfig(f"port {port} is not between 1 and {_MAX_PORT}", hint=hint)
    return Upstream(tls=tls, host=host, port=port, ca_path=ca_path)


def is_ip_address(host: str) -> bool:
    """Whether a host is written as an IP address, and not as a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
