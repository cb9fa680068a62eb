"""The parts of a running service: Envoy, the workers, the lake writer; what is kept of them, and how they stop.

The order of starting: what earlier processes left open in the log is recovered before the first worker starts; Envoy
comes up meanwhile. The order of stopping is in drain.py.
"""

from __future__ import annotations

import math
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from sluice import metering, telemetry
from sluice.errors import SluiceError
from sluice.lake.staging import segments_in_hand
from sluice.log.metrics import REFUSED
from sluice.log.recovery import recover
from sluice.log.refused import refused_log
from sluice.log.segment import LOG_FOLDER
from sluice.supervisor import metrics
from sluice.supervisor.beside import beside
from sluice.supervisor.blame import Blame, is_broken
from sluice.supervisor.edge_child import EnvoyChild
from sluice.supervisor.health import Health
from sluice.supervisor.keeper import End, Keeper
from sluice.supervisor.launch import Launcher
from sluice.supervisor.readiness import Facts
from sluice.supervisor.recovery import Recovery
from sluice.supervisor.stillness import Stillness
from sluice.supervisor.workers import KeptWorker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from sluice.settings.model import Settings
    from sluice.supervisor.child import Child
    from sluice.supervisor.launch import Place
    from sluice.supervisor.process_id import ProcessId

__all__ = ["Service", "StartFailed"]

# A child that ends this often before the service was ever ready will not come up by being started again.
_GIVE_UP_AFTER_ENDS = 4
# The lake writer's imports would slow those of the workers down, for which clients wait.
_LAKE_MAY_WAIT_S = 3.0

_messages = telemetry.messages_of("supervisor")


class StartFailed(SluiceError):
    """A child does not come up."""


class Service:
    """All children of one supervisor.

    Args:
        settings: of the service.
        place: where it runs.
        json_messages: processes write lines of JSON.
    """

    def __init__(self, settings: Settings, place: Place, *, json_messages: bool) -> None:
        self._place = place
        self._blame = Blame()
        self._trusts_compiled_check = True
        self._exit_code = 0
        self._in_hand: asyncio.Future[list[str]] | None = None
        self._recovery = Recovery(
            lambda before: recover(place.require_folder() / LOG_FOLDER, before=before), log="requests"
        )
        # Nobody waits for it: what it finds was refused, or is acknowledged by the other log.
        self._recovery_of_refused = Recovery(
            lambda before: recover(refused_log(place.require_folder()), before=before, figures=REFUSED),
            log="refused requests",
        )
        self._workers_started = False
        self._lake_due_at = math.inf
        self._was_ready = False
        self._launcher = Launcher(settings, place, json_messages=json_messages)
        self._has_edge = settings.edge != "external"
        self._listen: tuple[str, int] | None = None
        self._edge = Keeper(role="envoy", start=self._start_edge, after_end=self._after_edge)
        self._lake = Keeper(role="lake", start=self._start_lake, after_end=self._after_lake)
        self._watched = ((self._edge, Stillness()), (self._lake, Stillness()))
        self._workers = [self._worker(index) for index in range(settings.workers)]
        # Now, so that the disk may be full by the time they start.
        with suppress(OSError):
            for keeper in (self._lake, *(worker.keeper for worker in self._workers)):
                metering.take_room(place.metrics, keeper.role)

    async def start(self, now: float) -> None:
        """Start everything, in its order; children are up only some ticks later.

        Raises:
            SluiceError: Envoy can't be started.
            OSError: no process can be made.
        """
        if self._has_edge:
            await self._edge.start_first(now)
        self._ask_for_recovery()

    async def tick(self, now: float) -> bool:
        """Look after all children; return whether their process ids, or the address, have changed.

        Raises:
            StartFailed: a child doesn't come up, and none of its kind ever did.
            OSError: no first worker can be made.
        """
        self._recovery.tick(now)
        # It makes its folders in the log's, and makes the name of that durable no more: that is the other's to do.
        if self._recovery.has_run:
            self._recovery_of_refused.tick(now)
        self._kill_what_hangs(now)
        changes = [await self._start_workers(now)]
        changes += [await worker.tick(now) for worker in self._workers]
        if self._lake.is_new and (self._serves(now) or now >= self._lake_due_at):
            # Unlike a first worker's, its start may fail: clients are served by then.
            self._lake.begin(now)
        if self._blames():
            changes.append(await self._lake.tick(now))
        if self._has_edge:
            changes.append(await self._edge.tick(now))
        address = self._envoy.address if self._envoy is not None else None
        if address is not None and address != self._listen:
            self._listen = address
            changes.append(True)
        if not self._was_ready:
            self._give_up_on_what_does_not_start()
        return any(changes)

    @property
    def listen(self) -> tuple[str, int] | None:
        """Where events come in, as chosen; None until it is known, and with an external Envoy."""
        return self._listen

    @property
    def processes(self) -> dict[str, ProcessId]:
        """All running children, by role."""
        return {keeper.role: keeper.child.identity for keeper in self._keepers() if keeper.child is not None}

    def facts(self, now: float, *, draining: bool) -> Facts:
        """What readiness depends on."""
        health = tuple(worker.health(now) for worker in self._workers)
        return Facts(
            draining=draining,
            recovered=self._recovery.has_run,
            edge_listens=not self._has_edge or (self._envoy is not None and self._envoy.address is not None),
            edge_found_worker=not self._has_edge or (self._envoy is not None and self._envoy.found_worker),
            edge_answers=self._envoy is None or self._envoy.answers,
            workers=health,
            workers_healthy=self._envoy.healthy_workers if self._envoy is not None else self._healthy_without(health),
        )

    def has_been_ready(self) -> None:
        """From now on a child that does not come up is tried for ever."""
        self._was_ready = True

    def ask_to_flush(self) -> None:
        """Let workers seal what they have open, and the lake writer publish whatever is sealed."""
        for keeper in (*(worker.keeper for worker in self._workers), self._lake):
            keeper.tell(signal.SIGUSR1)

    async def drain_edge(self) -> bool:
        """As drain.Stoppable says."""
        if not self._has_edge:
            return True
        if self._envoy is not None and self._envoy.address is not None and not self._envoy.drain():
            return False
        self._edge.stop()
        return self._edge.is_over

    async def kill_edge(self) -> bool:
        """As drain.Stoppable says."""
        if not self._has_edge:
            return True
        return _killed(self._edge)

    async def drain_workers(self) -> bool:
        """As drain.Stoppable says."""
        for worker in self._workers:
            worker.keeper.stop()
        return all(worker.keeper.is_over for worker in self._workers)

    async def stop_workers(self) -> bool:
        """As drain.Stoppable says."""
        for worker in self._workers:
            worker.keeper.stop_at_once()
        return all(worker.keeper.is_over for worker in self._workers)

    async def kill_workers(self) -> bool:
        """As drain.Stoppable says."""
        gone = [_killed(worker.keeper) for worker in self._workers]
        return all(gone)

    async def recover(self) -> bool:
        """As drain.Stoppable says."""
        return self._recovery.has_seen_all and self._recovery_of_refused.has_seen_all

    async def drain_lake(self) -> bool:
        """As drain.Stoppable says."""
        self._lake.stop()
        return self._lake.is_over

    async def stop_lake(self) -> bool:
        """As drain.Stoppable says."""
        self._lake.stop_at_once()
        return self._lake.is_over

    async def kill_lake(self) -> bool:
        """As drain.Stoppable says."""
        return _killed(self._lake)

    def kill_all(self) -> None:
        """End all children by SIGKILL, when nothing else is left to do."""
        for keeper in self._keepers():
            _killed(keeper)

    async def _start_workers(self, now: float) -> bool:
        if self._workers_started or not self._recovery.has_run:
            return False
        self._workers_started = True
        for worker in self._workers:
            if worker.keeper.is_new:
                await worker.keeper.start_first(now)
        self._lake_due_at = now + _LAKE_MAY_WAIT_S
        return True

    @property
    def _envoy(self) -> EnvoyChild | None:
        child = self._edge.child
        return child if isinstance(child, EnvoyChild) else None

    def _kill_what_hangs(self, now: float) -> None:
        for keeper, stillness in self._watched:
            if keeper.child is not None and stillness.is_still(keeper.child.identity.pid, now):
                keeper.kill("it shows no sign of life")

    def _healthy_without(self, health: Sequence[Health]) -> int:
        """How many workers are sent requests, as far as this process knows, when it has no Envoy to ask."""
        return 0 if self._has_edge else sum(one is Health.SERVING for one in health)

    def _serves(self, now: float) -> bool:
        return any(worker.health(now) is Health.SERVING for worker in self._workers)

    def _keepers(self) -> list[Keeper]:
        return [self._edge, *(worker.keeper for worker in self._workers), self._lake]

    def _worker(self, index: int) -> KeptWorker:
        return KeptWorker(
            index=index,
            socket=self._place.worker_socket(index),
            start=lambda: self._launcher.worker(index, compiled_check=self._trusts_compiled_check),
            after_end=self._after_worker,
        )

    async def _start_lake(self) -> Child:
        return await self._launcher.lake(self._blame)

    async def _start_edge(self) -> Child:
        return await self._launcher.envoy(port=None if self._listen is None else self._listen[1])

    async def _after_worker(self, end: End) -> None:
        self._forget(end)
        if is_broken(end.exit_code) and self._trusts_compiled_check:
            # It has no guard against faults of its own, and senders send again what killed a worker.
            self._trusts_compiled_check = False
            _messages.warning(
                "workers that are started from now on check bodies without what is compiled", exit_code=end.exit_code
            )
        self._ask_for_recovery()

    def _ask_for_recovery(self) -> None:
        self._recovery.ask()
        self._recovery_of_refused.ask()

    async def _after_lake(self, end: End) -> None:
        self._forget(end)
        if end.asked:
            return
        self._exit_code = end.exit_code
        self._in_hand = beside(lambda: segments_in_hand(self._place.require_folder()), name="segments in hand")

    def _blames(self) -> bool:
        """Whether it is known what the last lake writer had in hand, without which no other is started."""
        if self._in_hand is None:
            return True
        if not self._in_hand.done():
            return False
        in_hand, self._in_hand = self._in_hand, None
        try:
            self._blame.note(self._exit_code, in_hand.result())
        except OSError as exc:
            # No segment is blamed for a disk that fails.
            _messages.warning("what the lake writer had in hand can't be read", error=str(exc))
        return True

    async def _after_edge(self, end: End) -> None:
        self._forget(end)

    def _forget(self, end: End) -> None:
        metering.forget_gauges(self._place.metrics, end.role)
        if not end.asked:
            metrics.ENDS.labels(end.role).inc()

    def _give_up_on_what_does_not_start(self) -> None:
        # But for the lake writer, without which clients are served: segments wait.
        for keeper in (self._edge, *(worker.keeper for worker in self._workers)):
            if keeper.quick_ends >= _GIVE_UP_AFTER_ENDS and not keeper.is_stopping:
                raise StartFailed(
                    f"{keeper.role} does not start: it has ended {keeper.quick_ends} times",
                    hint="its messages above say why",
                )


def _killed(keeper: Keeper) -> bool:
    keeper.stop_at_once()
    if keeper.child is not None:
        keeper.child.send(signal.SIGKILL)
    return keeper.is_over
