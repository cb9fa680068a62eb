"""The doors of one worker in a thread of their own, with a log that a test commands, and a client of its socket."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.api.httpbody_pb2 import HttpBody

from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc
from sluice.ingest.config import WorkerConfig
from sluice.ingest.rejects import HourBudget, Rejects
from sluice.ingest.serve import Stop, serve
from sluice.keys.store import Keys
from sluice.log.ids import new_request_id
from sluice.log.ports import Entry, LogUnavailable
from sluice.worker_sockets import tools_socket
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.log.refused import RefusedEntry

# REST answers go to Envoy, which takes 60 KiB of trailers; a gRPC client takes 8 KiB unless it says otherwise.
ENVOY_OPTIONS = [("grpc.max_metadata_size", 60 * 1024), ("grpc.absolute_max_metadata_size", 60 * 1024)]


@dataclass
class FakeLog:
    """Remembers what it was handed; keeps its callers waiting, or refuses, as a test says."""

    entries: list[Entry] = field(default_factory=list)
    healthy: bool = True
    is_running: bool = True
    refuses: bool = False
    refuses_so_many: int = 0
    closed: bool = False
    holds: threading.Event = field(default_factory=threading.Event)
    handed_over: threading.Event = field(default_factory=threading.Event)

    def put(self, entry: Entry, done: Callable[[bool], None]) -> None:
        def append() -> None:
            while self.holds.is_set():
                time.sleep(0.005)
            self.entries.append(entry)
            done(True)

        self.handed_over.set()
        self.refuses_so_many -= 1
        if self.refuses or self.refuses_so_many >= 0:
            raise LogUnavailable("disk full")
        threading.Thread(target=append, daemon=True).start()

    async def append(self, entry: Entry) -> None:
        self.handed_over.set()
        while self.holds.is_set():  # noqa: ASYNC110  a test sets it from another thread
            await asyncio.sleep(0.005)
        self.refuses_so_many -= 1
        if self.refuses or self.refuses_so_many >= 0:
            raise LogUnavailable("disk full")
        self.entries.append(entry)

    def look(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True


@dataclass
class FakeRefusedLog:
    """As FakeLog, of what is refused."""

    entries: list[RefusedEntry] = field(default_factory=list)
    refuses: bool = False
    closed: bool = False
    holds: threading.Event = field(default_factory=threading.Event)

    async def start(self) -> None:
        pass

    async def append(self, entry: RefusedEntry) -> None:
        while self.holds.is_set():  # noqa: ASYNC110  as FakeLog does
            await asyncio.sleep(0.005)
        if self.refuses:
            raise LogUnavailable("disk full")
        self.entries.append(entry)

    async def seal(self) -> bool:
        return True

    async def close(self) -> None:
        self.closed = True

    def only(self) -> RefusedEntry:
        """The one that is kept, once it is."""
        wait_until(lambda: bool(self.entries), what="a refused request is kept")
        [entry] = self.entries
        return entry


def config_for(folder: Path, **changed: Any) -> WorkerConfig:
    values = {
        "data_dir": str(folder),
        "socket": str(folder / "w.sock"),
        "index": 0,
        "node": "n1",
        "seal_age_s": 10.0,
        "seal_size_bytes": 64 << 20,
        "max_body_bytes": 1 << 20,
        "max_receive_bytes": 2 << 20,
        "in_flight_bytes": 8 << 20,
        "queue_bytes": 8 << 20,
        "min_free_bytes": 0,
        "reflection": True,
    }
    return WorkerConfig(**(values | changed))


class IngestServer:
    """Serves from its making until `close`."""

    def __init__(self, folder: Path, **changed: Any) -> None:
        self.config = config_for(folder, **changed)
        self.log = FakeLog()
        self.refused = FakeRefusedLog()
        self.budget = HourBudget(64 << 20)
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(10)
        # A client that comes before the socket is there tries again only after a second.
        wait_until(Path(self.config.socket).exists)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = Stop()
        self._started.set()
        await serve(
            self.config,
            keys=Keys(Path(self.config.data_dir) / "keys.json"),
            log=self.log,
            rejects=Rejects(self.refused, budget=self.budget, waiting_bytes=self.config.max_body_bytes * 2),
            new_request_id=new_request_id,
            stop=self._stop,
        )

    def ask_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.ask, "test")

    def wait_until_stopped(self, within_s: float = 15) -> bool:
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        if self._thread.is_alive():
            self.log.holds.clear()
            self.ask_to_stop()
        assert self.wait_until_stopped()

    def channel(self, *options: tuple[str, Any], as_envoy: bool = False, tools: bool = False) -> grpc.Channel:
        options = (("grpc.use_local_subchannel_pool", 1), *options, *(ENVOY_OPTIONS if as_envoy else ()))
        socket = tools_socket(self.config.socket) if tools else self.config.socket
        channel = grpc.insecure_channel(f"unix:{socket}", options=options)
        grpc.channel_ready_future(channel).result(timeout=10)
        return channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a call came to."""

    code: grpc.StatusCode
    message: str
    request_id: str
    details: bytes
    body: bytes


def _answered(call: Any, message: str, body: bytes) -> Answered:
    initial = dict(call.initial_metadata())
    trailing = dict(call.trailing_metadata())
    return Answered(
        code=call.code(),
        message=message,
        request_id=initial.get("x-request-id", ""),
        details=trailing.get("grpc-status-details-bin", b""),
        body=body,
    )


def rest(
    channel: grpc.Channel, body: bytes, *metadata: tuple[str, str], method: str = "LogEvent", path: str | None = None
) -> Answered:
    """Call as Envoy does for a REST request."""
    address = path or {"LogEvent": "/v1/log_event", "ReceiveWebhookEvent": "/v1/webhooks/event_webhook"}[method]
    call = channel.unary_unary(f"/sluice.events.v1.HttpEventsService/{method}")
    message = HttpBody(content_type="application/json", data=body).SerializeToString()
    try:
        answer, done = call.with_call(message, metadata=[("x-envoy-original-path", address), *metadata], timeout=20)
    except grpc.RpcError as error:
        return _answered(error, error.details(), b"")
    return _answered(done, "", HttpBody.FromString(answer).data)


def typed(
    channel: grpc.Channel, request: pb.LogEventRequest, *metadata: tuple[str, str], query: str | None = None
) -> Answered:
    """Call as Envoy does for a REST request of which it has made a typed message."""
    said = [("x-envoy-original-path", "/v1/log_event"), *([("x-sluice-query", query)] if query else [])]
    return native(channel, request, *said, *metadata)


def native(channel: grpc.Channel, request: pb.LogEventRequest, *metadata: tuple[str, str]) -> Answered:
    """Call EventsService.LogEvent as an internal service does."""
    try:
        answer, done = events_service_pb2_grpc.EventsServiceStub(channel).LogEvent.with_call(
            request, metadata=metadata, timeout=20
        )
    except grpc.RpcError as error:
        return _answered(error, error.details(), b"")
    return _answered(done, "", answer.SerializeToString())
