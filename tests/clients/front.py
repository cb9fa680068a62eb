"""An HTTP front between SDKs and the real service: the one part of `make test-clients` that isn't real.

It hands every request on as it came, and every answer back. Posts of events it can

- spoil: the service is sent an invalid event in place of the body, and its own 400 goes back;
- delay: the service is sent the post at once, and its answer goes back late. The events are durable by then, so an SDK
  that gives up and sends again makes repeats.

And it remembers how each key's posts of events were answered.
"""

import enum
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

DELAY_S = 12.0  # longer than Go (3 s), the cores, Java and js-client (10 s) wait, shorter than Python's statsig (20 s)

_EVENTS = ("/v1/log_event", "/v1/rgstr", "/v1/rgstr_b")
_INVALID = b'{"events":[{}]}'
_FORWARD_WITHIN_S = 30.0
# Of one connection, not of the message: RFC 9110, 7.6.1. Lengths are written anew.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade", "proxy-connection"}


class Treatment(enum.Enum):
    """What is done to posts of events."""

    NONE = "handed on"
    SPOILED = "spoiled"
    DELAYED = "delayed"


class Answered(NamedTuple):
    """One post of events.

    Attributes:
        key: it came with.
        status: the service gave it.
        treatment: what was done to it.
        beacon: it came without any header of Statsig's, as a page can send none with a beacon.
    """

    key: str
    status: int
    treatment: Treatment
    beacon: bool


@dataclass
class Front:
    """One front.

    Attributes:
        service: where requests go, as host:port.
        treatment: what is done to posts of events from now on.
        answered: all posts of events that the service has answered, in order.
    """

    service: str
    url: str = ""
    treatment: Treatment = Treatment.NONE
    answered: list[Answered] = field(default_factory=list)
    closes: threading.Event = field(default_factory=threading.Event)

    def keys(self, which: Callable[[Answered], bool]) -> set[str]:
        """Keys with such a post."""
        return {post.key for post in list(self.answered) if which(post)}


@contextmanager
def served_front(service: str) -> Iterator[Front]:
    """Serve on a free port until the block ends."""
    front = Front(service)

    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": front}))
    front.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield front
    finally:
        front.closes.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """An SDK has gone away: nobody is told."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120  # of an idle connection, so that its thread ends
    front: Front

    def do_GET(self) -> None:
        self._hand_on()

    def do_OPTIONS(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def log_message(self, *_: object) -> None:
        pass

    def _hand_on(self) -> None:
        body = self._read_body()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        target = self.path
        is_events = urlsplit(self.path).path in _EVENTS and self.command == "POST"
        treatment = self.front.treatment if is_events else Treatment.NONE
        if treatment is Treatment.SPOILED:
            body, target = _INVALID, _without_compression(self.path)
            headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
            headers["content-type"] = "application/json"
        connection = HTTPConnection(self.front.service, timeout=_FORWARD_WITHIN_S)
        try:
            connection.request(self.command, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            self.close_connection = True  # as the service did
            return
        finally:
            connection.close()
        if is_events:
            beacon = not any(name.lower().startswith("statsig-") for name in self.headers)
            self.front.answered.append(Answered(self._key(), answer.status, treatment, beacon))
        if treatment is Treatment.DELAYED:
            self.front.closes.wait(DELAY_S)
        with suppress(OSError):  # the SDK has gone away
            self._answer(answer.status, answer.getheaders(), content)

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def _key(self) -> str:
        query = parse_qs(urlsplit(self.path).query)
        return self.headers.get("statsig-api-key") or query.get("k", [""])[0]

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _without_compression(path: str) -> str:
    """The address without js-client's word that the body is gzip."""
    parts = urlsplit(path)
    query = {name: values for name, values in parse_qs(parts.query).items() if name != "gz"}
    return urlunsplit(parts._replace(query=urlencode(query, doseq=True)))
