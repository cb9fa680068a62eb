"""What an ill-meaning or broken client sends, as no client library would, and what it must get for it.

`REQUESTS` are bytes to be sent on a connection of their own. `CONNECTIONS` are ways to keep a server busy with more
than one of them. Both are used by the tests, once each, and by bench/hostile.py, for as long as it says.
"""

from __future__ import annotations

import gzip
import random
import socket
import ssl
import struct
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import brotli
import zstandard
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONNECTIONS", "REQUESTS", "Connections", "Request", "Target", "status_of"]

_TIMEOUT_S = 60.0
_MIB = 2**20
_EVENT = '{"user":{"userID":"u1"},"eventName":"e","time":1767225600000'


@dataclass(frozen=True)
class Target:
    """Where to send to.

    Attributes:
        host: the address.
        port: its port.
        key: a key that opens /v1/log_event.
    """

    host: str
    port: int
    key: str

    def connect(self) -> socket.socket:
        """A new connection."""
        return socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S)


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        name: what it is.
        answers: the statuses that are right for it; 0: the connection is closed without one.
        bytes_for: what is sent.
    """

    name: str
    answers: tuple[int, ...]
    bytes_for: Callable[[Target], bytes]


@dataclass(frozen=True)
class Connections:
    """A way to keep a server busy.

    Attributes:
        name: what it is.
        keep_up: does it for about so many seconds; returns the statuses that came back, 0 for a closed connection.
        answers: the statuses that are right for it.
    """

    name: str
    answers: tuple[int, ...]
    keep_up: Callable[[Target, float], list[int]]


def status_of(target: Target, request: bytes) -> int:
    """Send bytes on a connection of their own; the status of the first answer, 0 if there was none.

    An answer that comes before all is sent counts.
    """
    with target.connect() as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        return _status(connection)


def _status(connection: socket.socket) -> int:
    received = b""
    while b"\r\n" not in received:
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            return 0
        if not more:
            return 0
        received += more
    first = received.split(b"\r\n", 1)[0].split()
    return int(first[1]) if first[:1] in ([b"HTTP/1.1"], [b"HTTP/1.0"]) else 0


def _head(target: Target, length: int | None, *, path: str = "/v1/log_event", more: str = "") -> bytes:
    told = "" if length is None else f"content-length: {length}\r\n"
    return (
        f"POST {path} HTTP/1.1\r\nhost: sluice\r\ncontent-type: application/json\r\nstatsig-api-key: {target.key}\r\n"
        f"statsig-client-time: 1767225600000\r\n{told}{more}\r\n"
    ).encode()


def _body(
    name: str, answers: int | tuple[int, ...], make: Callable[[], bytes], *, encoding: str = "", path: str | None = None
) -> Request:
    made = cache(make)

    def bytes_for(target: Target) -> bytes:
        more = f"content-encoding: {encoding}\r\n" if encoding else ""
        return _head(target, len(made()), more=more, path=path or "/v1/log_event") + made()

    return Request(name, (answers,) if isinstance(answers, int) else answers, bytes_for)


def _raw(name: str, answers: int | tuple[int, ...], sent: Callable[[Target], bytes]) -> Request:
    return Request(name, (answers,) if isinstance(answers, int) else answers, sent)


def _zeros(mebibytes: int) -> bytes:
    return bytes(mebibytes * _MIB)


def _zstd_bomb() -> bytes:
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join([*(compressor.compress(_zeros(16)) for _ in range(16)), compressor.flush()])


def _event(**members: str) -> bytes:
    more = "".join(f',"{name}":{text}' for name, text in members.items())
    return f'{{"events":[{_EVENT}{more}}}]}}'.encode()


def _many(event: str) -> bytes:
    return ('{"events":[' + ",".join([event] * 100_000) + "]}").encode()


def _many_keys() -> bytes:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    keys = (
        digits[n // 62**3 % 62] + digits[n // 3844 % 62] + digits[n // 62 % 62] + digits[n % 62] for n in range(10**6)
    )
    return _event(metadata="{" + ",".join(f'"{key}":0' for key in keys) + "}")


def _one_key_many_times() -> bytes:
    return _event(metadata="{" + ",".join(['"a":0'] * 10**6) + "}")


def _one_field_many_times() -> bytes:
    return _event(value=",".join(["1", *('"value":1' for _ in range(500_000))]))


def _many_users() -> bytes:
    ids = ",".join(f'"k{n}":"v"' for n in range(200_000))
    return f'{{"events":[{{"user":{{"customIDs":{{{ids}}}}},"eventName":"e","time":1}}]}}'.encode()


def _private_in_private() -> bytes:
    nested = '{"privateAttributes":' * 400 + "{}" + "}" * 400
    users = ",".join(f'{{"user":{nested},"eventName":"e","time":1}}' for _ in range(500))
    return f'{{"events":[{users}]}}'.encode()


def _repeated_metadata() -> bytes:
    """What stands once in a request and on each of its rows."""
    events = ",".join(['{"user":null,"eventName":"e","time":1}'] * 50_000)
    return f'{{"statsigMetadata":{{"pad":"{"x" * 4_000_000}"}},"events":[{events}]}}'.encode()


def _tls_hello(_target: Target) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="sluice").do_handshake()
    return outgoing.read()


def _with_headers(lines: str, body: bytes = b"{}") -> Callable[[Target], bytes]:
    return lambda target: _head(target, len(body), more=lines) + body


def _with_query(query: str) -> Callable[[Target], bytes]:
    return lambda target: _head(target, 2, path=f"/v1/log_event?{query}") + b"{}"


def _only_in_query(key: str) -> Callable[[Target], bytes]:
    request = f"POST /v1/log_event?k={key}&t=1 HTTP/1.1\r\nhost: sluice\r\ncontent-length: 2\r\n\r\n{{}}"
    return lambda _target: request.encode("latin-1")


def _plain(text: str) -> Callable[[Target], bytes]:
    return lambda _target: text.encode("latin-1")


_JSON_OF_TOO_MANY_BYTES = b'{"events":[],"pad":"' + b"x" * (11 * _MIB) + b'"}'

REQUESTS: tuple[Request, ...] = (
    _body("gzip bomb", 413, lambda: gzip.compress(_zeros(128), 1), encoding="gzip"),
    _body("gzip bomb in a gzip bomb", 400, lambda: gzip.compress(gzip.compress(_zeros(128), 1)), encoding="gzip"),
    _body("zstd bomb", 413, _zstd_bomb, encoding="zstd"),
    _body("br bomb", 413, lambda: brotli.compress(_zeros(64), quality=1), encoding="br"),
    _body("gzip of 10,000 empty members and more", 400, lambda: gzip.compress(b"") * 20_000, encoding="gzip"),
    _body("noise as zstd", 400, lambda: random.Random(1).randbytes(_MIB), encoding="zstd"),
    _body("10^5 events", 202, lambda: _many(_EVENT + "}")),
    _body("nesting of 10^6", 400, lambda: b"[" * 10**6),
    _body("nesting of 10^6 in metadata", 400, lambda: _event(metadata='{"a":' * 10**6 + "0" + "}" * 10**6)),
    _body("10^6 keys in one object", 202, _many_keys),
    _body("one key 10^6 times", 202, _one_key_many_times),
    _body("one field 500,000 times", 202, _one_field_many_times),
    _body("200,000 custom ids", 202, _many_users),
    _body("privateAttributes in each other", 202, _private_in_private),
    _body("4 MB that each of 50,000 rows repeats", 202, _repeated_metadata),
    _body("a number of 10^6 digits as value", 202, lambda: _event(value="1" * 10**6)),
    _body("a number of 10^6 digits as time", 400, lambda: _event(time="1" * 10**6)),
    _body("1e999999999 as value", 202, lambda: _event(value="1e999999999")),
    _body("1e999999999 as time", 400, lambda: _event(time="1e999999999")),
    _body("10^5 numbers of 60 digits", 202, lambda: _event(metadata='{"a":[' + ",".join(["9" * 60] * 100_000) + "]}")),
    _body("a name of 9 MB", 202, lambda: _event(eventName='"' + "n" * 9_000_000 + '"')),
    _body("10^6 escapes", 202, lambda: _event(metadata='{"a":"' + "\\u0000" * 10**6 + '"}')),
    _body("10 MiB of spaces", 400, lambda: b" " * (10 * _MIB)),
    _body("too many bytes", 413, lambda: _JSON_OF_TOO_MANY_BYTES),
    _body("10^5 bad events", 400, lambda: _many("0")),
    _body("10^5 events with three faults", 400, lambda: _many('{"user":[],"time":""}')),
    _raw("200 headers", 431, _with_headers("".join(f"x-{n}: y\r\n" for n in range(200)))),
    _raw("one header of 1 MiB", 431, _with_headers("x-long: " + "y" * _MIB + "\r\n")),
    _raw("headers of 30 KiB", (400, 431), _with_headers("".join(f"x-{n}: {'y' * 320}\r\n" for n in range(90)))),
    _raw("a key of 30 KiB", (401, 431), lambda _t: _head(Target("", 0, "k" * 30_000), 2) + b"{}"),
    _raw("a query of 1 MiB", 431, _with_query("a=" + "b" * _MIB)),
    _raw("a query of 10,000 parts", 400, _with_query("&".join(["a=b"] * 7_000))),
    _raw("a query of 7,000 keys", 400, _with_query("&".join(["k=b"] * 7_000))),
    _raw("%0d%0a in the key", 401, _only_in_query("client-%0d%0ax-admin:%20yes")),
    _raw("%00 in the key", 401, _only_in_query("client-%00%00%00")),
    _raw("half an escape in the key", 401, _only_in_query("client-%zz%")),
    _raw("bytes beyond ASCII in the key", (400, 401), _only_in_query("client-\xff\xfe")),
    _raw("CR LF in the client's time", 400, _with_query("t=1%0d%0a2&st=%0d%0aset-cookie:x")),
    _raw("no HTTP", 400, _plain("GARBAGE\r\n\r\n")),
    _raw("HTTP/0.9", (0, 400, 404), _plain("GET /\r\n\r\n")),
    _raw("HTTP/3.7", (0, 400, 404, 505), _plain("GET / HTTP/3.7\r\nhost: x\r\n\r\n")),
    _raw("CONNECT", (400, 404, 405), _plain("CONNECT evil:443 HTTP/1.1\r\nhost: evil:443\r\n\r\n")),
    _raw("OPTIONS *", (400, 404), _plain("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n")),
    _raw("an address with a host", 404, _plain("GET http://evil/ HTTP/1.1\r\nhost: evil\r\n\r\n")),
    _raw("two content-lengths", 400, lambda t: _head(t, 2, more="content-length: 3\r\n") + b"{}"),
    _raw(
        "length and chunks",
        (400, 501),
        lambda t: _head(t, 5, more="transfer-encoding: chunked\r\n") + b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ),
    _raw("a negative length", 400, _plain("POST /v1/log_event HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n")),
    _raw(
        "a chunk of 2^68 bytes",
        400,
        lambda t: _head(t, None, more="transfer-encoding: chunked\r\n") + b"F" * 17 + b"\r\n",
    ),
    _raw("a header without end", (0, 400), _plain("POST /v1/log_event HTTP/1.1\r\nhost x\r\n\r\n")),
    _raw("a zero byte in a header", 400, _plain("GET /livez HTTP/1.1\r\nhost: x\r\nx-a: \0\r\n\r\n")),
    _raw("a bare CR in a header", (202, 400), _with_headers("x-a: a\rx-b: c\r\n", _event())),
    _raw("TLS to the plain port", (0, 400), _tls_hello),
    _raw("an HTTP/2 preface and noise", 0, _plain("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\xff" * 4096)),
    _raw("a path of dots", 404, _plain("POST /v1/../../etc/passwd HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")),
    _raw(
        "a path with a zero byte",
        (400, 404),
        _plain("POST /v1/log_event%00 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"),
    ),
)


def _slow_headers(target: Target, seconds: float) -> list[int]:
    return _trickle(target, seconds, b"POST /v1/log_event HTTP/1.1\r\nhost: x\r\n", b"x-a: b\r\n")


def _slow_bodies(target: Target, seconds: float) -> list[int]:
    return _trickle(target, seconds, _head(target, 10_000), b" ")


def _trickle(target: Target, seconds: float, begin: bytes, bit: bytes, *, connections: int = 200) -> list[int]:
    """Many connections that never come to their end."""
    answers: list[int] = []
    with ExitStack() as stack:
        held = [stack.enter_context(target.connect()) for _ in range(connections)]
        for connection in held:
            connection.sendall(begin)
        end_s = time.monotonic() + seconds
        while held and time.monotonic() < end_s:
            for connection in list(held):
                try:
                    connection.sendall(bit)
                except (BrokenPipeError, ConnectionResetError):
                    held.remove(connection)
                    answers.append(_status(connection))
            time.sleep(0.5)
    return answers


def _half_closed(target: Target, seconds: float) -> list[int]:
    """Requests behind which the client says that nothing more comes: it still reads."""
    answers = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        with target.connect() as connection:
            body = _event()
            connection.sendall(_head(target, len(body)) + body)
            connection.shutdown(socket.SHUT_WR)
            answers.append(_status(connection))
    return answers


def _many_explanations(target: Target, seconds: float) -> list[int]:
    """Small bodies, each of which takes long to say what is wrong with."""
    body = b'{"events":[' + b",".join([b"{}"] * 80_000) + b"]}"
    request = _head(target, len(body)) + body
    answers: list[int] = []
    end_s = time.monotonic() + seconds
    with ExitStack() as stack:
        held = deque(stack.enter_context(target.connect()) for _ in range(8))
        for connection in held:
            connection.sendall(request)
        while (left_s := end_s - time.monotonic()) > 0:
            held.rotate()
            held[0].settimeout(left_s)
            with suppress(TimeoutError):
                answers.append(_status(held[0]))
                held[0].settimeout(_TIMEOUT_S)
                held[0].sendall(request)
    return answers


def _gone_at_once(target: Target, seconds: float) -> list[int]:
    """Whole requests whose clients are gone, by a reset, before the answer."""
    body = _many(_EVENT + "}")[: 2 * _MIB]
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        connection = target.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(_head(target, len(body)) + body)
        connection.close()
    return []


def _unread_answers(target: Target, seconds: float) -> list[int]:
    """Requests in a row on connections whose answers nobody reads."""
    with ExitStack() as stack:
        held = [stack.enter_context(target.connect()) for _ in range(20)]
        request = b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" * 100
        for connection in held:
            connection.setblocking(False)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for connection in list(held):
                try:
                    connection.send(request)
                except BlockingIOError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    held.remove(connection)
            time.sleep(0.05)
    return []


def _many_idle(target: Target, seconds: float) -> list[int]:
    """Connections that say nothing."""
    with ExitStack() as stack:
        for _ in range(900):
            stack.enter_context(target.connect())
        time.sleep(seconds)
    return []


def _http2(target: Target, seconds: float, each: Callable[[H2Connection], None]) -> list[int]:
    """Frames of HTTP/2 by the thousand; again from a new connection whenever the server has had enough."""
    end_s = time.monotonic() + seconds
    closed = 0
    while time.monotonic() < end_s:
        with target.connect() as connection, suppress(BrokenPipeError, ConnectionResetError, ProtocolError):
            connection.setblocking(False)
            h2 = H2Connection(H2Configuration(client_side=True, validate_outbound_headers=False))
            h2.initiate_connection()
            while time.monotonic() < end_s:
                each(h2)
                data = h2.data_to_send()
                while data and time.monotonic() < end_s:
                    try:
                        data = data[connection.send(data) :]
                    except BlockingIOError:
                        time.sleep(0.001)
                    with suppress(BlockingIOError):
                        received = connection.recv(65536)
                        if not received:
                            raise ConnectionResetError
                        h2.receive_data(received)
        closed += 1
    return [0] * closed


def _reset_streams(target: Target, seconds: float) -> list[int]:
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/v1/log_event"),
        (":authority", "x"),
        ("content-type", "application/json"),
        ("statsig-api-key", target.key),
        ("statsig-client-time", "1"),
    ]

    def each(connection: H2Connection) -> None:
        for _ in range(50):
            stream = connection.get_next_available_stream_id()
            connection.send_headers(stream, headers)
            connection.reset_stream(stream)

    return _http2(target, seconds, each)


def _pings(target: Target, seconds: float) -> list[int]:
    def each(connection: H2Connection) -> None:
        for _ in range(500):
            connection.ping(b"12345678")

    return _http2(target, seconds, each)


def _settings(target: Target, seconds: float) -> list[int]:
    def each(connection: H2Connection) -> None:
        for _ in range(500):
            connection.update_settings({4: 65535})

    return _http2(target, seconds, each)


def _unknown_keys(target: Target, seconds: float) -> list[int]:
    """A flood of small requests, each with another key."""
    answers = []
    end_s = time.monotonic() + seconds
    with target.connect() as connection:
        while time.monotonic() < end_s:
            stranger = Target(target.host, target.port, f"client-{random.randrange(10**12)}")
            connection.sendall(_head(stranger, 2) + b"{}")
            answers.append(_status(connection))
    return answers


CONNECTIONS: tuple[Connections, ...] = (
    Connections("slow headers", (0, 408), _slow_headers),
    Connections("slow bodies", (0, 408), _slow_bodies),
    Connections("small bodies of 80,000 bad events", (400,), _many_explanations),
    Connections("half-closed connections", (0, 202), _half_closed),
    Connections("clients gone before the answer", (), _gone_at_once),
    Connections("answers that nobody reads", (), _unread_answers),
    Connections("900 idle connections", (), _many_idle),
    Connections("HTTP/2 streams that are reset", (0,), _reset_streams),
    Connections("HTTP/2 pings", (0,), _pings),
    Connections("HTTP/2 settings", (0,), _settings),
    Connections("unknown keys", (401,), _unknown_keys),
)
