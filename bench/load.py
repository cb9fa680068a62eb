"""Clients that post the same body over and over; other benches start it, and read the line of JSON that it prints.

    python -m bench.load 127.0.0.1:8080 KEY --events 20 --connections 16 --seconds 10

Each connection posts, waits for the answer, and posts again; with --rate, all together no more often than that. The
requests are made once, so that the clients take little of the processors that the service needs.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

import uvloop

_EVENT = (
    '{"eventName":"checkout_completed","time":1767225600000,"value":"59.90","user":{"userID":"user-%07d",'
    '"email":"user-%07d@example.com","custom":{"plan":"pro","seats":12},"customIDs":{"stableID":"stable-%07d"}},'
    '"metadata":{"sku":"SKU-%07d","currency":"EUR","items":"3","note":"%s"}}'
)


def body_of(events: int, *, note: str = "") -> bytes:
    """A body of so many events, no two alike."""
    return (
        b'{"events":['
        + b",".join((_EVENT % (*(number * 7919 % 10_000_000,) * 4, note)).encode() for number in range(events))
        + b"]}"
    )


@dataclass
class _Seen:
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    accepted_s: list[float] = field(default_factory=list)


async def _post_until(end_s: float, address: tuple[str, int], request: bytes, interval_s: float, seen: _Seen) -> None:
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    due_s = time.perf_counter()
    while (now_s := time.perf_counter()) < end_s:
        if due_s > now_s:
            await asyncio.sleep(due_s - now_s)
        due_s = max(due_s + interval_s, time.perf_counter() - interval_s)
        try:
            streams = streams or await asyncio.open_connection(*address)
            began_s = time.perf_counter()
            streams[1].write(request)
            head = (await streams[0].readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await streams[0].readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            seen.broken += 1
            streams = None
            await asyncio.sleep(0.05)
            continue
        status = int(head[9:12])
        seen.statuses[status] += 1
        if status == 202:
            seen.accepted_s.append(time.perf_counter() - began_s)
        elif not interval_s:
            await asyncio.sleep(0.005)
        if b"connection: close" in head:
            streams = None


async def _run(options: argparse.Namespace) -> None:
    body = body_of(options.events, note="x" * options.note)
    host, _, port = options.address.rpartition(":")
    lines = (
        f"POST /v1/log_event HTTP/1.1\r\nhost: {options.address}\r\ncontent-type: application/json\r\n"
        f"statsig-api-key: {options.key}\r\nstatsig-client-time: 1767225600000\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    seen = _Seen()
    interval_s = options.connections / options.rate if options.rate else 0.0
    began_s = time.perf_counter()
    posts = (
        _post_until(began_s + options.seconds, (host, int(port)), lines.encode() + body, interval_s, seen)
        for _ in range(options.connections)
    )
    await asyncio.gather(*posts)
    seconds = time.perf_counter() - began_s
    latencies = sorted(seen.accepted_s) or [0.0]
    found = {
        "body_bytes": len(body),
        "statuses": seen.statuses,
        "broken": seen.broken,
        "per_s": len(seen.accepted_s) / seconds,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
        "max_ms": latencies[-1] * 1000,
        "cpu_s": time.process_time(),
    }
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="host:port")
    parser.add_argument("key")
    parser.add_argument("--events", type=int, default=20, help="of a body")
    parser.add_argument("--note", type=int, default=0, help="more bytes in each event")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=0, help="requests a second of all together; 0: as many as can be")
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
