"""When a worker is taken for one that hangs."""

import asyncio
from pathlib import Path

from sluice.supervisor.health import HANGS_AFTER_S, MAY_START_IN_S, Health, HealthWatch


def _seen(folder: Path, *, answered_at: float | None, looks: list[float]) -> list[Health]:
    """What is said at those times of a worker that was started at 0 and answers no more."""

    async def look() -> list[Health]:
        watch = HealthWatch(folder / "nobody.sock", now=0.0)
        watch._answered_at, watch._serving = answered_at, True
        seen = [watch.health(now) for now in looks]
        await watch.close()
        return seen

    return asyncio.run(look())


def _times(begin: float, seconds: float) -> list[float]:
    return [begin + step / 2 for step in range(int(2 * seconds) + 1)]


def test_one_that_answers_no_more_hangs_after_a_while(tmp_path: Path) -> None:
    seen = _seen(tmp_path, answered_at=0.0, looks=_times(0, HANGS_AFTER_S + 1))

    assert seen[:-2] == [Health.SERVING] * (len(seen) - 2)
    assert seen[-1] is Health.HANGS


def test_one_that_never_answered_is_starting_until_it_takes_too_long(tmp_path: Path) -> None:
    seen = _seen(tmp_path, answered_at=None, looks=_times(0, MAY_START_IN_S + 1))

    assert seen[:-2] == [Health.STARTING] * (len(seen) - 2)
    assert seen[-1] is Health.HANGS


def test_time_in_which_nobody_asked_does_not_count(tmp_path: Path) -> None:
    """As when the supervisor, or the machine, was stopped and goes on."""
    for answered_at, then in ((0.0, Health.SERVING), (None, Health.STARTING)):
        seen = _seen(tmp_path, answered_at=answered_at, looks=[*_times(0, 1), *_times(1000, 1)])

        assert set(seen) == {then}


def test_one_that_hangs_is_found_after_such_a_pause_too(tmp_path: Path) -> None:
    looks = [*_times(0, 1), *_times(1000, HANGS_AFTER_S)]

    assert _seen(tmp_path, answered_at=0.0, looks=looks)[-1] is Health.HANGS
