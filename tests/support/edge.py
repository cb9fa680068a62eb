"""A real Envoy in front of two fake workers and a fake supervisor, and a client that shows raw answers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from sluice.edge.config import EdgeConfig
from sluice.edge.limits import max_receive_message_bytes
from sluice.edge.process import EnvoyProcess
from tests.support.fake_worker import Call, FakeWorker
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_BODY = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back on the wire; names of headers in lower case, each with all of its values."""

    status: int
    headers: dict[str, list[str]] = field(repr=False)
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of a header; a header that is there twice is a failure of its own."""
        values = self.headers.get(name, [])
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def exchange(address: tuple[str, int], request: bytes, *, timeout_s: float = 10) -> Answer:
    """Send bytes, and read the one answer until the server closes or the answer is whole.

    What a server sends before it has read everything counts as its answer.
    """
    with socket.create_connection(address, timeout=timeout_s) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        received = b""
        while not _is_whole(received):
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                break
            received += more
    return _parse(received)


def post(
    address: tuple[str, int],
    body: bytes = b'{"events":[]}',
    *,
    path: str = "/v1/log_event",
    method: str = "POST",
    headers: dict[str, str] | None = None,
    chunked: bool = False,
) -> Answer:
    """One request on a connection of its own. Content-Type is application/json unless headers say otherwise."""
    lines = {"Host": "sluice", "Content-Type": "application/json", **(headers or {})}
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in (lines | framing).items() if value is not None)
    return exchange(address, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (_chunks(body) if chunked else body))


def _chunks(body: bytes) -> bytes:
    parts = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


def _is_whole(received: bytes) -> bool:
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    return len(body) >= int(length)


def _parse(received: bytes) -> Answer:
    assert received, "the connection was closed without an answer"
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return Answer(int(first.split()[1]), headers, body)


@dataclass
class Edge:
    """A running edge. Calls that reach its workers are in `calls`, oldest first."""

    envoy: EnvoyProcess
    workers: list[FakeWorker]
    config: EdgeConfig
    calls: list[Call]
    _runner: asyncio.Runner

    @property
    def address(self) -> tuple[str, int]:
        return self.envoy.address

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    def post(self, *arguments: Any, **named: Any) -> Answer:
        return post(self.address, *arguments, **named)

    def await_healthy(self, count: int) -> None:
        wait_until(lambda: self.run(self.envoy.workers()).healthy == count)

    def forget(self) -> None:
        """Begin a new test: no calls, and workers that acknowledge."""
        self.calls.clear()
        for worker in self.workers:
            worker.answer = None


@contextmanager
def running_edge(folder: Path, *, workers: int = 2, sockets: Sequence[str] = (), **settings: Any) -> Iterator[Edge]:
    """An edge whose config is the default one but for `settings`, before fake workers and those at `sockets`."""
    calls: list[Call] = []
    with ExitStack() as cleanup:
        limit = settings.setdefault("max_body_bytes", MAX_BODY)
        fakes = [
            FakeWorker(folder / f"w{n}.sock", max_receive_message_bytes(limit, typed=True), calls)
            for n in range(workers)
        ]
        for fake in fakes:
            cleanup.callback(fake.close)
            fake.start()
        supervisor = cleanup.enter_context(_supervisor())
        config = EdgeConfig(
            listen_host="127.0.0.1",
            listen_port=0,
            admin_socket=str(folder / "envoy.sock"),
            worker_sockets=(*(str(fake.socket) for fake in fakes), *sockets),
            supervisor_host="127.0.0.1",
            supervisor_port=supervisor,
            concurrency=1,
            **settings,
        )
        runner = cleanup.enter_context(asyncio.Runner())
        envoy = EnvoyProcess(config, folder)
        runner.run(envoy.start())
        cleanup.callback(lambda: runner.run(envoy.stop(5)))
        runner.run(envoy.wait_listening(10))
        edge = Edge(envoy, fakes, config, calls, runner)
        edge.await_healthy(workers + len(sockets))
        yield edge


@contextmanager
def _supervisor() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"path": self.path}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
