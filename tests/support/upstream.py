"""A server that stands for the one that SDKs ask for gates: it answers what it was asked, and remembers it.

The certificates in tests/fixtures/tls are signed by the ca.pem there and hold until 2120; each is named after its host.
"""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATES = Path(__file__).parents[1] / "fixtures/tls"


@dataclass(frozen=True)
class Asked:
    """One request as it came; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class UpstreamServer:
    """What it was asked, oldest first, and how it answers: with what it was asked, unless a test says otherwise."""

    port: int
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes | None = None
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def upstream_server(certificate: str | None = None) -> Iterator[UpstreamServer]:
    """Serve on a free port of the loopback address.

    Args:
        certificate: which of the certificates it shows; None: it speaks http.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self._body()
            if body is None:
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            upstream.asked.append(Asked(self.command, self.path, headers, body))
            upstream.may_answer.wait(20)
            said = {"path": self.path, "method": self.command}
            content = json.dumps(said).encode() if upstream.answer is None else upstream.answer
            self.send_response(upstream.status)
            for name, value in ({"Content-Type": "application/json"} | upstream.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _body(self) -> bytes | None:
            """The whole of it; None: it was broken off."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while (line := self.rfile.readline().strip()) != b"0":
                if not line:
                    return None
                parts.append(self.rfile.read(int(line, 16)))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = do_OPTIONS = do_PUT = _serve  # noqa: N815  names of http.server's

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def verify_request(self, *_: object) -> bool:
            upstream.connections += 1
            return True

        def handle_error(self, *_: object) -> None:
            """A client that doesn't trust us breaks off."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    upstream = UpstreamServer(server.server_address[1])
    upstream.may_answer.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.may_answer.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
