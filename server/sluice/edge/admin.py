"""Envoy's own admin interface, on a Unix socket that only this user can reach.

Source: Envoy's documentation, "Administration interface".
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from sluice.errors import SluiceError

__all__ = ["AdminUnreachable", "EnvoyAdmin", "WorkersSeen"]

_TIMEOUT_S = 5.0

_ACTIVE_REQUESTS = "http.edge.downstream_rq_active"
_HEALTHY_WORKERS = "cluster.workers.membership_healthy"
_TURNED_AWAY = "cluster.workers.upstream_cx_none_healthy"
_ACTIVE_TOOL_CALLS = "cluster.tools.upstream_rq_active"


class AdminUnreachable(SluiceError):
    """Envoy does not answer on its admin socket: it has not started yet, hangs, or has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSeen:
    """What Envoy sees of the workers.

    Attributes:
        healthy: to how many it would send a request.
        turned_away: how many requests it has answered with 503 since its start because there was none.
    """

    healthy: int
    turned_away: int


class EnvoyAdmin:
    """What the supervisor asks of a running Envoy.

    Every call raises `AdminUnreachable` when there is no answer within 5 s.

    Args:
        path: of Envoy's admin socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    async def is_live(self) -> bool:
        """Whether Envoy has read its configuration, checked the workers once, and listens."""
        status, _ = await self._request("GET", "/ready")
        return status == http.client.OK

    async def listening_on(self) -> tuple[str, int]:
        """The address that Envoy listens on, with the port that it chose."""
        _, body = await self._request("GET", "/listeners?format=json")
        address = json.loads(body)["listener_statuses"][0]["local_address"]["socket_address"]
        return str(address["address"]), int(address["port_value"])

    async def active_requests(self) -> int:
        """How many requests Envoy has begun and not yet answered, but for gRPC's own health and reflection."""
        found = await self._values(_ACTIVE_REQUESTS, _ACTIVE_TOOL_CALLS)
        return max(0, found.get(_ACTIVE_REQUESTS, 0) - found.get(_ACTIVE_TOOL_CALLS, 0))

    async def workers(self) -> WorkersSeen:
        """What Envoy sees of the workers."""
        found = await self._values(_HEALTHY_WORKERS, _TURNED_AWAY)
        return WorkersSeen(healthy=found.get(_HEALTHY_WORKERS, 0), turned_away=found.get(_TURNED_AWAY, 0))

    async def fail_health_check(self) -> None:
        """Tell load balancers in front, by answers to their health checks, to look elsewhere."""
        await self._request("POST", "/healthcheck/fail")

    async def drain_gracefully(self) -> None:
        """Ask every client to close its connection; the listener closes after Envoy's drain time."""
        await self._request("POST", "/drain_listeners?graceful")

    async def close_listeners(self) -> None:
        """Take no new connection from now on; requests in flight go on."""
        await self._request("POST", "/drain_listeners")

    async def _values(self, *names: str) -> dict[str, int]:
        wanted = quote("|".join(re.escape(name) for name in names))
        _, body = await self._request("GET", f"/stats?format=json&filter=^({wanted})$")
        stats = cast("list[dict[str, str | int]]", json.loads(body)["stats"])
        return {str(stat["name"]): int(stat["value"]) for stat in stats if "value" in stat}

    async def _request(self, method: str, target: str) -> tuple[int, bytes]:
        try:
            return await asyncio.to_thread(self._request_blocking, method, target)
        except (OSError, http.client.HTTPException) as exc:
            raise AdminUnreachable(f"envoy does not answer on {self._path}: {exc}") from exc

    def _request_blocking(self, method: str, target: str) -> tuple[int, bytes]:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("envoy", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)
