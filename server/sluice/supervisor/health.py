"""Whether a worker is well: asked again and again over its own socket, so that one that hangs is found.

Source: grpc.health.v1, https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ASK_EVERY_S", "HANGS_AFTER_S", "MAY_START_IN_S", "Health", "HealthWatch"]

ASK_EVERY_S = 0.5
# Beside what a worker itself gives its event loop, before it answers no more (ingest/server.py).
HANGS_AFTER_S = 10.0
# It is looked at some ten times a second.
_NO_PAUSE_S = 2.0
MAY_START_IN_S = 60.0

_ASK_AGAIN_WHILE_STARTING_S = 0.05
_ANSWER_WITHIN_S = 5.0
# gRPC's own pauses, 1 s and more, are for servers far away; this one's socket appears any moment.
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
)


class Health(Enum):
    """What is known of a worker."""

    STARTING = "starting"
    SERVING = "serving"
    NOT_SERVING = "not_serving"
    HANGS = "hangs"


class HealthWatch:
    """Watches one run of one worker, until it is closed.

    Args:
        socket: the worker's socket.
        now: seconds on the clock that `health` is asked with; when the worker was started.
    """

    def __init__(self, socket: Path, *, now: float) -> None:
        self._target = f"unix:{socket}"
        self._started_at = now
        self._looked_at = now
        self._answered_at: float | None = None
        self._serving = False
        self._task = asyncio.create_task(self._watch())

    def health(self, now: float) -> Health:
        """What is known now; of a worker that has stopped answering only that, once it is certain."""
        self._pass_over_a_pause(now)
        if self._answered_at is None:
            return Health.HANGS if now - self._started_at > MAY_START_IN_S else Health.STARTING
        if now - self._answered_at > HANGS_AFTER_S:
            return Health.HANGS
        return Health.SERVING if self._serving else Health.NOT_SERVING

    def _pass_over_a_pause(self, now: float) -> None:
        """While this process was stopped it asked nobody, so nobody failed to answer."""
        pause_s, self._looked_at = now - self._looked_at, now
        if pause_s > _NO_PAUSE_S:
            self._started_at += pause_s
            if self._answered_at is not None:
                self._answered_at = min(now, self._answered_at + pause_s)

    async def close(self) -> None:
        """Stop watching."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        async with grpc.aio.insecure_channel(self._target, options=_CHANNEL_OPTIONS) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while True:
                try:
                    answer = await stub.Check(  # type: ignore[attr-defined]  # the types lack it
                        health_pb2.HealthCheckRequest(), timeout=_ANSWER_WITHIN_S
                    )
                except grpc.aio.AioRpcError:
                    self._serving = False
                else:
                    self._serving = answer.status == health_pb2.HealthCheckResponse.SERVING
                    self._answered_at = loop.time()
                await asyncio.sleep(_ASK_AGAIN_WHILE_STARTING_S if self._answered_at is None else ASK_EVERY_S)
