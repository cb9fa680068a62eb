"""Envoy as the supervisor's child: what the keeper needs of it, and how it is let go."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice import telemetry
from sluice.edge.admin import AdminUnreachable
from sluice.edge.process import EnvoyFailed, EnvoyProcess
from sluice.supervisor import metrics
from sluice.supervisor.process_id import ProcessId, process_id

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.edge.config import EdgeConfig

__all__ = ["EnvoyChild"]

_LISTENS_WITHIN_S = 60.0

_POLL_S = 0.02
_FOLLOW_EVERY_S = 0.5
# Each takes as long as one waits for an answer, 5 s.
_SILENCES_OF_ONE_THAT_HANGS = 2
# A request that was on its way when none was active shows up by the second look.
_IDLE_LOOKS = 3

_messages = telemetry.messages_of("supervisor")


class EnvoyChild:
    """One run of Envoy. Made in the main thread: Envoy ends with the thread that started it."""

    def __init__(self, process: EnvoyProcess) -> None:
        self._process = process
        self._identity = process_id(process.pid) or ProcessId(pid=process.pid, started=0)
        self._end = asyncio.create_task(process.wait())
        self._listening = asyncio.create_task(self._wait_listening())
        self._following = asyncio.create_task(self._follow_workers())
        self._healthy_workers = 0
        self._turned_away = 0
        self._found_worker = False
        self._silences = 0
        self._drain: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, config: EdgeConfig, run_folder: Path, *, port: int | None) -> EnvoyChild:
        """Start it.

        Args:
            config: what it is told.
            run_folder: where its configuration is written.
            port: listen on this one, which a run before has chosen; None: as the config says.

        Raises:
            SluiceError: there is no Envoy, or the port is taken.
        """
        process = EnvoyProcess(config if port is None else replace(config, listen_port=port), run_folder)
        await process.start()
        try:
            return cls(process)
        except OSError:
            # Nobody would look after it.
            await process.stop(0)
            raise

    @property
    def identity(self) -> ProcessId:  # noqa: D102  as Child says
        return self._identity

    @property
    def exit_code(self) -> int | None:  # noqa: D102  as Child says
        return self._end.result() if self._end.done() else None

    @property
    def found_worker(self) -> bool:
        """Whether it has found a healthy worker since it started; until then it answers 503."""
        return self._found_worker and not self._end.done()

    @property
    def answers(self) -> bool:
        """Whether it answers on its admin interface. One that hangs doesn't; a busy one may fail to once."""
        return self._silences < _SILENCES_OF_ONE_THAT_HANGS

    @property
    def healthy_workers(self) -> int:
        """How many workers passed its last checks, as of half a second ago; others get no requests."""
        return 0 if self._end.done() else self._healthy_workers

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that it listens on; None until it does, and when it has ended."""
        listens = self._listening.done() and self._listening.result() and not self._end.done()
        return self._process.address if listens else None

    def send(self, number: signal.Signals) -> None:  # noqa: D102  as Child says
        if not self._end.done():
            try:
                os.kill(self._identity.pid, number)
            except ProcessLookupError:
                return  # it ended by itself meanwhile

    def drain(self) -> bool:
        """Begin to let requests in flight finish, or go on with it; return whether it is done.

        It is done as well when Envoy can't be asked any more.
        """
        if self._drain is None:
            self._drain = asyncio.create_task(self._drain_now())
        return self._drain.done()

    async def _wait_listening(self) -> bool:
        try:
            await self._process.wait_listening(_LISTENS_WITHIN_S)
        except (EnvoyFailed, AdminUnreachable) as exc:
            _messages.error(exc.message, hint=exc.hint)
            self.send(signal.SIGKILL)
            return False
        return True

    async def _follow_workers(self) -> None:
        """Envoy judges workers by its own checks: until the first has passed one, it answers 503."""
        if not await self._listening:
            return
        while not self._end.done():
            try:
                seen = await self._process.workers()
            except AdminUnreachable:
                if not self._end.done():
                    self._silences += 1
                    if self._silences == _SILENCES_OF_ONE_THAT_HANGS:
                        _messages.warning(
                            "envoy does not say whether it has healthy workers",
                            hint="one that hangs is killed after a minute, and started again",
                        )
            else:
                self._silences = 0
                self._healthy_workers = seen.healthy
                # Less than before where somebody reset Envoy's counters.
                metrics.TURNED_AWAY.inc(max(0, seen.turned_away - self._turned_away))
                self._turned_away = seen.turned_away
                self._found_worker = self._found_worker or self._healthy_workers > 0
            await asyncio.sleep(_FOLLOW_EVERY_S if self._found_worker else _POLL_S)

    async def _drain_now(self) -> None:
        try:
            await self._process.begin_drain()
            await self._idle()
            await self._process.close_listeners()
            await self._idle()
        except AdminUnreachable as exc:
            if not self._end.done():
                _messages.warning(exc.message, hint=exc.hint)

    async def _idle(self) -> None:
        looks = 0
        while looks < _IDLE_LOOKS:
            looks = looks + 1 if await self._process.active_requests() == 0 else 0
            await asyncio.sleep(_POLL_S)
