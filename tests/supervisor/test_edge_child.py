"""What the supervisor learns of Envoy while it runs: against an Envoy that a test lets say something."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from prometheus_client import REGISTRY

from sluice.edge.admin import AdminUnreachable, WorkersSeen
from sluice.supervisor import edge_child
from sluice.supervisor.edge_child import EnvoyChild


class _Envoy:
    """Says what it is told to, one after the other, and ends behind the last."""

    address = ("127.0.0.1", 1)
    pid = os.getpid()

    def __init__(self, said: Sequence[WorkersSeen | AdminUnreachable]) -> None:
        self._said = list(said)
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    async def wait_listening(self, within_s: float) -> None:
        pass

    async def workers(self) -> WorkersSeen:
        now = self._said.pop(0)
        if not self._said:
            self._ended.set()
        if isinstance(now, AdminUnreachable):
            raise now
        return now


def _counted_of(*said: WorkersSeen | AdminUnreachable, monkeypatch: Any) -> float:
    monkeypatch.setattr(edge_child, "_FOLLOW_EVERY_S", 0.0)

    async def run() -> None:
        child = EnvoyChild(_Envoy(said))  # type: ignore[arg-type]  # as much of one as is asked for
        async with asyncio.timeout(10):
            await child._following

    before = _counted()
    asyncio.run(run())
    return _counted() - before


def _counted() -> float:
    return REGISTRY.get_sample_value("sluice_requests_turned_away_total") or 0.0


def _seen(turned_away: int) -> WorkersSeen:
    return WorkersSeen(healthy=1, turned_away=turned_away)


def test_what_envoy_turned_away_is_counted_once(monkeypatch: Any) -> None:
    assert _counted_of(_seen(0), _seen(3), _seen(3), _seen(5), monkeypatch=monkeypatch) == 5


def test_it_goes_on_where_somebody_resets_envoys_counters(monkeypatch: Any) -> None:
    assert _counted_of(_seen(4), _seen(1), _seen(2), monkeypatch=monkeypatch) == 5


def test_an_envoy_that_does_not_answer_once_is_asked_again(monkeypatch: Any) -> None:
    assert _counted_of(_seen(2), AdminUnreachable("silent"), _seen(3), monkeypatch=monkeypatch) == 3


def test_each_run_of_envoy_counts_from_its_own_beginning(monkeypatch: Any) -> None:
    counted = [_counted_of(_seen(2), _seen(3), monkeypatch=monkeypatch) for _ in range(2)]
    assert counted == [3, 3]
