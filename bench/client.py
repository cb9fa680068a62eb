"""What does it cost a service to log an event, in CPU time of its own process?

    python -m bench.client --events 200000 --batch 500

A real service takes the events; its CPU time is not counted. Each row is one run: encoding alone (the floor), the
client for threads, the one for asyncio, and the first with a spool. The baseline is what one writes without a client:
messages of protobuf, a blocking call for each batch, nothing tried again. Events are distinct, with five fields of the
user, a value and four facts. What would mislead: a machine that does other work, and comparing rows of several runs.
"""

import argparse
import asyncio
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from sluice.client import AsyncClient, Client, Event, Settings, User
from sluice.client.encode import encode
from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from tests.support.service import Service


def event(index: int) -> Event:
    """One event, as a service may log it."""
    user = User(f"user-{index}", email=f"p{index}@example.com", country="DE", custom_ids={"companyID": f"c{index % 9}"})
    facts = {"item": f"sku_{index % 99}", "currency": "EUR", "count": index % 7, "gift": index % 2 == 0}
    return Event("checkout_completed", user, value=index / 7, metadata=facts)


def only_encode(events: int) -> None:
    """Make the events and their bytes."""
    for index in range(events):
        encode(event(index), now_ms=1767225600000, most_bytes=10**6)


def by_hand(service: Service, events: int, batch: int) -> None:
    """The same events without a client."""
    metadata = [("statsig-api-key", service.server_key)]
    with grpc.insecure_channel(service.grpc) as channel:
        stub = services.EventsServiceStub(channel)
        for start in range(0, events, batch):
            request = pb.LogEventRequest()
            for index in range(start, min(start + batch, events)):
                made = request.events.add(event_name="checkout_completed", time=1767225600000, event_id=f"{index:032}")
                made.user.user_id, made.user.email, made.user.country = f"user-{index}", f"p{index}@example.com", "DE"
                made.user.custom_ids["companyID"] = f"c{index % 9}"
                made.value.number_value = index / 7
                made.metadata.update(
                    {"item": f"sku_{index % 99}", "currency": "EUR", "count": index % 7, "gift": index % 2 == 0}
                )
            stub.LogEvent(request, metadata=metadata, timeout=30)


def by_client(service: Service, events: int, settings: Settings) -> None:
    """Through the client for threads."""
    with Client(service.grpc, service.server_key, settings) as client:
        for index in range(events):
            client.log(event(index))


def by_async_client(service: Service, events: int, settings: Settings) -> None:
    """Through the client for asyncio."""

    async def run() -> None:
        async with AsyncClient(service.grpc, service.server_key, settings) as client:
            for index in range(events):
                await client.log(event(index))

    asyncio.run(run())


def measure(name: str, events: int, work: Callable[[], None], baseline: float | None = None) -> float:
    """Print one row; return the events per CPU-second."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    work()
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    rate = events / cpu_s
    ratio = "" if baseline is None else f"   {rate / baseline:5.2f} of the baseline"
    print(f"{name:34} {cpu_s:7.2f} CPU-s  {wall_s:7.2f} s  {rate:9.0f} events per CPU-second{ratio}", flush=True)
    return rate


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=500)
    asked = parser.parse_args()
    settings = Settings(batch_events=asked.batch, wait_for_room_s=60, close_timeout_s=60)
    print(
        f"{platform.machine()}, Python {platform.python_version()}, grpc {grpc.__version__}, batches of {asked.batch}"
    )
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder) / "data") as service:
        by_client(service, asked.batch, settings)  # what is done once: imports, connections
        baseline = measure("by hand", asked.events, lambda: by_hand(service, asked.events, asked.batch))
        measure("encoding alone", asked.events, lambda: only_encode(asked.events), baseline)
        measure("Client", asked.events, lambda: by_client(service, asked.events, settings), baseline)
        measure("AsyncClient", asked.events, lambda: by_async_client(service, asked.events, settings), baseline)
        for seconds, name in ((1.0, "each second"), (0.0, "each call")):
            spooled = Settings(
                batch_events=asked.batch, close_timeout_s=60, spool=Path(folder) / "spool", spool_sync_s=seconds
            )
            events = asked.events if seconds else asked.events // 50
            measure(f"Client, spool synced {name}", events, lambda: by_client(service, events, spooled), baseline)  # noqa: B023  used at once


if __name__ == "__main__":
    main()
