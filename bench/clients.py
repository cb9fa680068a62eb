"""Clients that send each body of a file once, over REST or gRPC; bench.matrix starts them, and reads what they print.

    python -m bench.clients '{"address":"127.0.0.1:8080","key":"secret-…","transport":"rest","file":"bodies",…}'

Without a rate each client sends, waits for the answer, and sends again. With one, requests are due at moments that were
drawn beforehand, whatever the service does (an open loop), and a latency counts from the moment at which its request
was due: a service that stalls can't keep requests from being counted as late.
"""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import grpc
import grpc.aio
import msgspec
import uvloop

__all__ = ["Asked", "Seen", "read_bodies", "send_all", "write_bodies"]

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
# Some hundred clients take a moment to be made, and that is no latency of the service.
_SETTLES_S = 0.5
_Send = Callable[[bytes], Awaitable[str]]


class Asked(msgspec.Struct, kw_only=True):
    """What clients are to do.

    Attributes:
        address: `host:port`.
        key: the API key.
        transport: `rest` or `grpc`.
        file: of the bodies, as `write_bodies` leaves it.
        clients: how many send at a time.
        rate: requests a second of all together; 0: as many as can be.
        seconds: no request is begun later than this after the first.
    """

    address: str
    key: str
    transport: str
    file: str
    clients: int
    rate: float = 0
    seconds: float = 600


class Seen(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        answers: how many requests got which answer: an HTTP status, a gRPC code, or `broken`.
        seconds: from the first request to the last answer.
        cpu_s: that the clients themselves took.
        latencies_ms: of the answers that acknowledge: p50, p90, p99, p99.9 and the greatest.
    """

    answers: dict[str, int]
    seconds: float
    cpu_s: float
    latencies_ms: dict[str, float]


def send_all(asked: Asked) -> Seen:
    """Let a process of its own send; return what came of it."""
    command = [sys.executable, "-m", "bench.clients", msgspec.json.encode(asked).decode()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=900)
    return msgspec.json.decode(done.stdout, type=Seen)


def write_bodies(file: Path, bodies: list[bytes]) -> None:
    """Write bodies to a file, and to the disk: else the service's first fdatasync would have to wait for them."""
    with file.open("wb") as out:
        out.write(msgspec.msgpack.encode(bodies))
        out.flush()
        os.fsync(out.fileno())


def read_bodies(file: Path) -> list[bytes]:
    """Read them back."""
    return msgspec.msgpack.decode(file.read_bytes(), type=list[bytes])


class _Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[str] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end or (length := _LENGTH.search(head)) is None or len(rest) < int(length[1]):
            return
        self._buffer = rest[int(length[1]) :]
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(head[9:12].decode())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  as asyncio calls it
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result("broken")

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def send(self, request: bytes) -> asyncio.Future[str]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer


def _rest(asked: Asked) -> _Send:
    host, _, port = asked.address.rpartition(":")
    head = (
        f"POST /v1/log_event HTTP/1.1\r\nhost: {asked.address}\r\ncontent-type: application/json\r\n"
        f"statsig-api-key: {asked.key}\r\nstatsig-client-time: {time.time_ns() // 1_000_000}\r\n"
        "statsig-sdk-type: js-client\r\nstatsig-sdk-version: 3.31.0\r\ncontent-length: "
    ).encode()
    connection: _Connection | None = None

    async def send(body: bytes) -> str:
        nonlocal connection
        if connection is None or not connection.is_open:
            _, connection = await asyncio.get_running_loop().create_connection(_Connection, host, int(port))
        return await connection.send(b"%b%d\r\n\r\n%b" % (head, len(body), body))

    return send


def _grpc(asked: Asked) -> _Send:
    # A channel of one's own each: else all share one connection, and one core of the service.
    channel = grpc.aio.insecure_channel(asked.address, options=[("grpc.use_local_subchannel_pool", 1)])
    call = channel.unary_unary("/sluice.events.v1.EventsService/LogEvent")
    metadata = (("statsig-api-key", asked.key), ("statsig-client-time", str(time.time_ns() // 1_000_000)))

    async def send(body: bytes) -> str:
        try:
            await call(body, metadata=metadata, timeout=60)
        except grpc.aio.AioRpcError as exc:
            return exc.code().name
        return "OK"

    return send


def _due(asked: Asked, began_s: float) -> Iterator[float]:
    """When each request is due; the gaps are drawn as those of independent callers are."""
    chance = random.Random(1)
    at_s = began_s
    while True:
        yield at_s
        at_s += chance.expovariate(asked.rate) if asked.rate else 0.0


async def _run(asked: Asked) -> Seen:
    bodies = iter(read_bodies(Path(asked.file)))
    answers: Counter[str] = Counter()
    latencies_s: list[float] = []
    began_s = time.perf_counter() + (_SETTLES_S if asked.rate else 0)
    due = _due(asked, began_s)
    end_s = began_s + asked.seconds

    async def client(send: _Send) -> None:
        for body in bodies:
            due_s = next(due)
            now_s = time.perf_counter()
            if not asked.rate:
                due_s = now_s
            elif due_s > now_s:
                await asyncio.sleep(due_s - now_s)
            if due_s > end_s or (not asked.rate and now_s > end_s):
                return
            try:
                answer = await send(body)
            except OSError:
                answer = "broken"
            answers[answer] += 1
            if answer in ("202", "OK"):
                latencies_s.append(time.perf_counter() - due_s)

    await asyncio.gather(
        *(client((_rest if asked.transport == "rest" else _grpc)(asked)) for _ in range(asked.clients))
    )
    seconds = time.perf_counter() - began_s
    return Seen(
        answers=dict(answers), seconds=seconds, cpu_s=time.process_time(), latencies_ms=_percentiles(latencies_s)
    )


def _percentiles(latencies_s: list[float]) -> dict[str, float]:
    ordered = sorted(latencies_s) or [0.0]
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    found = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for name, share in shares.items()}
    return found | {"max": ordered[-1] * 1000}


def main() -> None:
    asked = msgspec.json.decode(sys.argv[1], type=Asked)
    print(json.dumps(msgspec.to_builtins(uvloop.run(_run(asked)))))


if __name__ == "__main__":
    main()
