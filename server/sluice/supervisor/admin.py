"""The admin port: /metrics for Prometheus, /livez and /readyz for whoever starts and routes.

A thread of its own answers, from what the supervisor's loop last put there: so it can also say that the loop does not
turn. Envoy forwards its own /livez and /readyz here. Connections and their time are bounded; no request is read beyond
its head.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import msgspec

from sluice import telemetry
from sluice.errors import SluiceError
from sluice.supervisor.figures import LakeLag
from sluice.supervisor.readiness import Facts, is_live, reasons_not_ready

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AdminAddressTaken", "AdminServer", "Snapshot"]

_MAX_CONNECTIONS = 32
_IDLE_S = 5.0
_LONGEST_S = 15.0
_AFTER_A_FAULT_S = 0.2

_JSON = "application/json"
# https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
_PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class AdminAddressTaken(SluiceError):
    """The admin server can't listen where it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the admin server tells.

    Attributes:
        facts: what readiness depends on.
        lag: how far the lake is behind the log.
        looked_at: when that was looked at, on the monotonic clock.
        turned_at: when the supervisor's loop turned last, on the monotonic clock.
    """

    facts: Facts = field(default_factory=Facts)
    lag: LakeLag = field(default_factory=LakeLag)
    looked_at: float = field(default_factory=time.monotonic)
    turned_at: float = field(default_factory=time.monotonic)


class AdminServer:
    """Listens from its making on; `snapshot` is replaced by the supervisor's loop.

    Args:
        host: an address or a name of this machine.
        port: 0 takes any free one.
        metrics: the folder in which the metrics of all processes meet.

    Raises:
        AdminAddressTaken: somebody else listens there, or nobody can.
    """

    def __init__(self, host: str, port: int, *, metrics: Path) -> None:
        self.snapshot = Snapshot()
        self._metrics = metrics
        try:
            self._server = _Server((host, port), self)
        except OSError as exc:
            raise AdminAddressTaken(
                f"can't listen on {host}:{port} for the admin port: {(exc.strerror or str(exc)).lower()}",
                hint="choose another address with --admin, or --admin 127.0.0.1:0 for any free port",
            ) from exc
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="admin", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close_overdue(self, now: float) -> None:
        """Close connections that have taken too long, however busy they are."""
        self._server.close_older_than(now - _LONGEST_S)

    def close(self) -> None:
        """Stop listening."""
        self._is_closing = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        while not self._is_closing:
            # Without descriptors the system refuses even to wait.
            with suppress(OSError):
                self._server.serve_forever(poll_interval=0.2)
                return
            time.sleep(_AFTER_A_FAULT_S)

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a path."""
        snapshot = self.snapshot
        match path:
            case "/livez":
                live = is_live(turned_at=snapshot.turned_at, now=time.monotonic())
                status = HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE
                return status, _JSON, msgspec.json.encode({"live": live})
            case "/readyz":
                reasons = [reason.value for reason in reasons_not_ready(snapshot.facts)]
                status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
                body = {
                    "ready": not reasons,
                    "reasons": reasons,
                    "workers_healthy": snapshot.facts.workers_healthy,
                    "log_causes": snapshot.facts.log_causes,
                    "lake": {**asdict(snapshot.lag), "looked_s_ago": _seconds_since(snapshot.looked_at)},
                }
                return status, _JSON, msgspec.json.encode(body)
            case "/metrics":
                return HTTPStatus.OK, _PROMETHEUS_TEXT, telemetry.render_metrics(self._metrics)
            case _:
                body = {"message": "not found; here are /metrics, /livez and /readyz", "status": 404}
                return HTTPStatus.NOT_FOUND, _JSON, msgspec.json.encode(body)


def _seconds_since(at: float) -> float:
    return round(max(0.0, time.monotonic() - at), 3)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], admin: AdminServer) -> None:
        self.admin = admin
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def get_request(self) -> Any:
        try:
            return super().get_request()
        except OSError:
            # Who could not be taken waits on, and would be tried again at once.
            time.sleep(_AFTER_A_FAULT_S)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  as socketserver calls it
        with self._lock:
            if len(self._open) >= _MAX_CONNECTIONS:
                return False
            self._open[request] = time.monotonic()
            return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def close_older_than(self, opened_at: float) -> None:
        with self._lock:
            late = [request for request, since in self._open.items() if since < opened_at]
        for request in late:
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it was closed meanwhile

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's concern."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "sluice"
    sys_version = ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        """Answer, and close: nobody asks often enough to keep connections for."""
        status, content_type, body = self.server.admin.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  as http.server names it

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as http.server calls it
        """Nothing per request is written."""
