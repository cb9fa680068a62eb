"""The order of stopping, and its deadlines: against parts that a test lets end."""

import asyncio

import pytest

from sluice.supervisor.drain import Drain, steps_at_once, steps_in_order


class _Parts:
    """Each part ends when its name is in `ended`; every call is noted."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        async def call() -> bool:
            if not self.calls or self.calls[-1] != name:
                self.calls.append(name)
            return name in self.ended

        return call


@pytest.fixture
def parts() -> _Parts:
    return _Parts()


def _tick(drain: Drain, now: float) -> None:
    asyncio.run(drain.tick(now))


def test_a_part_is_stopped_only_when_the_one_before_has_ended(parts: _Parts) -> None:
    drain = Drain(steps_in_order(parts), within_s=30, now=0)  # type: ignore[arg-type]  # parts answer to every name
    order = ["drain_edge", "drain_workers", "recover", "drain_lake"]
    for number, name in enumerate(order, 1):
        _tick(drain, 0.1)
        assert parts.calls == order[:number]
        parts.ended.add(name)
    _tick(drain, 0.1)

    assert drain.is_over


def test_what_is_over_at_once_takes_one_tick(parts: _Parts) -> None:
    parts.ended |= {"drain_edge", "drain_workers", "recover", "drain_lake"}
    drain = Drain(steps_in_order(parts), within_s=30, now=0)  # type: ignore[arg-type]  # as above
    _tick(drain, 0.0)

    assert drain.is_over


def test_a_part_that_does_not_end_is_killed_at_its_deadline_and_the_rest_goes_on(parts: _Parts) -> None:
    parts.ended |= {"drain_edge", "kill_workers", "recover", "drain_lake"}
    drain = Drain(steps_in_order(parts), within_s=30, now=100)  # type: ignore[arg-type]  # as above
    _tick(drain, 100.0)
    _tick(drain, 117.9)
    assert parts.calls == ["drain_edge", "drain_workers"]
    _tick(drain, 118.1)

    assert parts.calls == ["drain_edge", "drain_workers", "kill_workers", "recover", "drain_lake"]
    assert drain.is_over


def test_all_steps_together_have_the_drains_deadline(parts: _Parts) -> None:
    parts.ended |= {"kill_edge", "kill_workers", "kill_lake"}
    drain = Drain(steps_in_order(parts), within_s=30, now=0)  # type: ignore[arg-type]  # as above
    _tick(drain, 30.0)

    assert drain.is_over


def test_stopping_at_once_waits_for_no_request_and_publishes_nothing(parts: _Parts) -> None:
    parts.ended |= {"kill_edge", "stop_workers", "stop_lake"}
    drain = Drain(steps_at_once(parts), within_s=5, now=0)  # type: ignore[arg-type]  # as above
    _tick(drain, 0.0)

    assert parts.calls == ["kill_edge", "stop_workers", "stop_lake"]
    assert drain.is_over
