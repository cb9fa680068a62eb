"""Serves one worker's socket from its start to its orderly end.

The end, in this order: health says so; in a pause between calls the socket is closed (a call that comes too late is
refused unread, and retried on another worker); calls in flight are answered; the logs are sealed. Calls that are not
answered within the drain time-out, or when somebody is in a hurry, are answered UNAVAILABLE, never CANCELLED: Envoy
makes 499 of the latter.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from sluice.errors import SluiceError
from sluice.ingest import metrics
from sluice.ingest.admission import Admission
from sluice.ingest.at_once import AtOnce
from sluice.ingest.call import Desk
from sluice.ingest.context import IngestContext
from sluice.ingest.descriptors import Descriptors
from sluice.ingest.event_count import EventCounts
from sluice.ingest.follow_keys import FollowedKeys, KeyStore
from sluice.ingest.receive import Receiver
from sluice.ingest.server import DoorServer
from sluice.log.ports import Appender
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sluice.ingest.config import WorkerConfig
    from sluice.ingest.rejects import Rejects

__all__ = ["Stop", "ThreadEnded", "WorkerLog", "serve"]

_LOOK_AGAIN_S = 1.0
_LOOK_AT_HEALTH_S = 0.1
# For the answers of given-up calls, and then for what never ends by itself: calls that send nothing, watches of health.
_LAST_ANSWERS_S = 2.0
_ENDLESS_CALLS_S = 0.5
_PAUSE_S = 0.02
_LONGEST_WAIT_FOR_A_PAUSE_S = 1.0

_messages = messages_of("ingest")


class ThreadEnded(SluiceError):
    """Nothing can be done any more: the worker is to be started anew."""


class WorkerLog(Appender, Protocol):
    """The log as its worker has it."""

    @property
    def is_running(self) -> bool:
        """Whether it goes on by itself; else nothing will ever be written."""

    def look(self) -> None:
        """Let `healthy` tell soon whether there is room, also when nobody posts."""

    async def close(self) -> None:
        """Write what was handed over, and seal."""


class Stop:
    """Tells a serving worker to stop; the second time, to hurry."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.in_a_hurry = asyncio.Event()

    def ask(self, why: str) -> None:
        """Ask it to stop, or to hurry if it was asked before."""
        if self.asked.is_set():
            self.in_a_hurry.set()
        self.asked.set()
        _messages.info("stopping", why=why, in_a_hurry=self.in_a_hurry.is_set())


async def serve(
    config: WorkerConfig,
    *,
    keys: KeyStore,
    log: WorkerLog,
    rejects: Rejects,
    new_request_id: Callable[[], bytes],
    stop: Stop,
) -> None:
    """Serve until told to stop; return when all is answered and sealed.

    Raises:
        CannotListen: a socket can't be made.
        ThreadEnded: by a fault.
    """
    admission = Admission(config.in_flight_bytes)
    followed = FollowedKeys(keys)
    context = IngestContext(
        keys=followed,
        appender=log,
        admission=admission,
        max_body_bytes=config.max_body_bytes,
        clock=time.time,
        event_counts=EventCounts(),
    )
    at_once, receiver = AtOnce(context), Receiver(context, rejects=rejects)
    server = DoorServer(
        Desk(at_once, receiver, new_request_id, asyncio.get_running_loop()),
        socket=config.socket,
        max_receive_bytes=config.max_receive_bytes,
        reflection=config.reflection,
    )
    await server.start()
    _messages.info("listening", socket=config.socket)
    looks = [asyncio.create_task(look) for look in (followed.follow(), _watch(server, log, admission))]
    asked = asyncio.create_task(stop.asked.wait())
    await asyncio.wait({*looks, asked}, return_when=asyncio.FIRST_COMPLETED)
    for look in looks:
        if look.done():
            look.result()
        look.cancel()
    metrics.READY.set(0)
    await server.show_end()
    await _finish_calls(config, server=server, takers=(at_once, receiver), stop=stop)
    await log.close()
    await rejects.close()
    _messages.info("stopped")


async def _watch(server: DoorServer, log: WorkerLog, admission: Admission) -> None:
    """Show whether requests can be taken."""
    descriptors = Descriptors()
    look_again_at = 0.0
    while True:
        if not (server.is_running and log.is_running):
            raise ThreadEnded(
                "the thread that takes the calls has ended, or the log's", hint="the message before this one says why"
            )
        now = time.monotonic()
        if now >= look_again_at:
            descriptors.look()
            if descriptors.are_left:
                log.look()
            look_again_at = now + _LOOK_AGAIN_S
        healthy = log.healthy and descriptors.are_left
        metrics.READY.set(healthy)
        metrics.IN_FLIGHT_BYTES.set(admission.in_flight_bytes)
        await server.show_health(serving=healthy)
        await asyncio.sleep(_LOOK_AT_HEALTH_S)


async def _finish_calls(
    config: WorkerConfig, *, server: DoorServer, takers: tuple[AtOnce, Receiver], stop: Stop
) -> None:
    await _await_a_pause(server, stop)
    for taker in takers:
        taker.stop()
    await asyncio.sleep(_PAUSE_S)
    closing = asyncio.create_task(server.stop(within_s=config.drain_timeout_s + _LAST_ANSWERS_S + _ENDLESS_CALLS_S))
    await _either(server.idle(), stop.in_a_hurry.wait(), within_s=config.drain_timeout_s)
    if not server.is_idle:
        _messages.warning("calls given up", in_a_hurry=stop.in_a_hurry.is_set())
        for taker in takers:
            taker.give_up()
        await _either(server.idle(), within_s=_LAST_ANSWERS_S)
    await server.stop(within_s=_ENDLESS_CALLS_S)
    await closing


async def _await_a_pause(server: DoorServer, stop: Stop) -> None:
    """Serve on until no call is there for a moment, if one comes soon.

    gRPC answers CANCELLED to calls that it has received but not handed over when the socket is closed.
    """
    deadline = time.monotonic() + _LONGEST_WAIT_FOR_A_PAUSE_S
    while (left := deadline - time.monotonic()) > 0 and not stop.in_a_hurry.is_set():
        await _either(server.idle(), stop.in_a_hurry.wait(), within_s=left)
        await asyncio.sleep(_PAUSE_S)
        if server.is_idle:
            return


async def _either(*awaited: Coroutine[object, object, object], within_s: float) -> None:
    """Return when one of them does, or when the time is over."""
    tasks = {asyncio.ensure_future(one) for one in awaited}
    await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
