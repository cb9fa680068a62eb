"""How the service stops: the order of its steps, as data, each with its deadline.

Events are let go of in the order of their way: first the door closes, then the workers seal what they took, then what a
killed worker left open is recovered, and last the lake writer publishes all that is sealed. What a step's deadline cuts
off is not lost: it waits in the log for the next start. So does what the lake writer can't publish: it gives up after a
few tries (lake/turns.py), and no deadline is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sluice import telemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["AT_ONCE_S", "WORKERS_CALLS", "Drain", "Step", "Stoppable", "steps_at_once", "steps_in_order"]

# How long stopping at once may take, for all steps together.
AT_ONCE_S = 5.0

# Deadlines of the steps, as parts of a drain's time.
_EDGE_UNTIL = 0.4
_WORKERS_UNTIL = 0.6
_RECOVERY_UNTIL = 0.7

# For how long a worker lets calls finish, as a part of a drain's time: a third of its step, since what it then gives up
# is still to be answered, and its segment sealed, before it would be killed.
WORKERS_CALLS = (_WORKERS_UNTIL - _EDGE_UNTIL) / 3

_messages = telemetry.messages_of("supervisor")


class Stoppable(Protocol):
    """What a drain stops, part by part. `stop_…` is called again and again until the part has ended."""

    async def drain_edge(self) -> bool:
        """Take no new requests, and let those in flight finish; return whether Envoy has ended."""

    async def kill_edge(self) -> bool:
        """End Envoy with its requests in flight: no answer was given for them; return whether it has ended."""

    async def drain_workers(self) -> bool:
        """Let workers finish and seal; return whether all have ended."""

    async def stop_workers(self) -> bool:
        """Let workers end without finishing; return whether all have ended."""

    async def kill_workers(self) -> bool:
        """Kill the workers; return whether all have ended."""

    async def recover(self) -> bool:
        """Seal what a killed worker left open; return whether that is done, but for what the disk refuses."""

    async def drain_lake(self) -> bool:
        """Let the lake writer publish what is sealed; return whether it has ended."""

    async def stop_lake(self) -> bool:
        """Let the lake writer end without publishing more; return whether it has ended."""

    async def kill_lake(self) -> bool:
        """Kill the lake writer; return whether it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a drain.

    Attributes:
        waits_for: what for, in words.
        do: called until it returns True.
        give_up: called instead, until it returns True, from the deadline on.
        until: the deadline, as a part of the whole drain's time.
    """

    waits_for: str
    do: Callable[[], Awaitable[bool]]
    give_up: Callable[[], Awaitable[bool]]
    until: float


def steps_in_order(service: Stoppable) -> tuple[Step, ...]:
    """Stop so that nothing waits: most of the time is for requests in flight and for the lake."""
    return (
        Step(waits_for="requests in flight", do=service.drain_edge, give_up=service.kill_edge, until=_EDGE_UNTIL),
        Step(waits_for="workers", do=service.drain_workers, give_up=service.kill_workers, until=_WORKERS_UNTIL),
        Step(waits_for="recovery", do=service.recover, give_up=_leave, until=_RECOVERY_UNTIL),
        Step(waits_for="the lake writer", do=service.drain_lake, give_up=service.kill_lake, until=1.0),
    )


def steps_at_once(service: Stoppable) -> tuple[Step, ...]:
    """Stop now: what was acknowledged is on disk, and waits there for the next start."""
    return (
        Step(waits_for="Envoy", do=service.kill_edge, give_up=_leave, until=0.2),
        Step(waits_for="workers", do=service.stop_workers, give_up=service.kill_workers, until=0.6),
        Step(waits_for="the lake writer", do=service.stop_lake, give_up=service.kill_lake, until=1.0),
    )


class Drain:
    """Goes through steps, one after the other.

    Args:
        steps: what to do.
        within_s: how long all of it may take.
        now: when it begins, in seconds on the clock that `tick` is given.
    """

    def __init__(self, steps: tuple[Step, ...], *, within_s: float, now: float) -> None:
        self._left = list(steps)
        self._began_at = now
        self._within_s = within_s
        self._gave_up_on: Step | None = None

    @property
    def is_over(self) -> bool:
        """Nothing is left to do."""
        return not self._left

    async def tick(self, now: float) -> None:
        """Go as far as it goes without waiting."""
        while self._left:
            step = self._left[0]
            late = now - self._began_at >= self._within_s * step.until
            if late and self._gave_up_on is not step:
                _messages.warning(
                    "gave up waiting while stopping",
                    waits_for=step.waits_for,
                    hint="what was acknowledged is on disk, and waits for the next start; --drain-timeout gives longer",
                )
                self._gave_up_on = step
            if not await (step.give_up() if late else step.do()):
                return
            self._left.pop(0)


async def _leave() -> bool:
    return True
