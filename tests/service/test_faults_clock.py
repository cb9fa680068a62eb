"""The clock is set while a service works: nothing is refused, it is told, and what is dated by it stays right.

The clock of the Python processes is shifted by tests/support/injected/clock_shift.py; Envoy asks none.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.log.reader import LocalSegments
from sluice.log.segment import hour_of, parse_sealed
from tests.support.disk_faults import ClockShift
from tests.support.ledger.load import Load, assert_lake_has_what_was_told, load_on
from tests.support.service import Service
from tests.support.told import Told
from tests.support.waiting import wait_until

_FLAGS = ("--workers", "2", "--seal-age", "200ms", "--lake-age", "300ms", "--archive", "on")
_HOUR_S = 3600.0
# Events that a test posts itself.
_SOUGHT, _DURING = "sought", "during {}"
_SHIFTS_S = (-2 * _HOUR_S, 2 * _HOUR_S, 26 * _HOUR_S, 0.0)

Shifted = tuple[Service, ClockShift, Load]


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shifted]:
    """One service for all steps; at its end all is in the lake once, rightly dated."""
    folder = tmp_path_factory.mktemp("faults-clock")
    clock = ClockShift(folder)
    clock.set(0)
    with Service(folder / "data", *_FLAGS, environment=clock.environment) as service:
        service.wait_until_all_workers_get_requests(2)
        with load_on(service, rest=1) as load:
            yield service, clock, load
        assert_lake_has_what_was_told(service, load.ledger, besides={_SOUGHT, *map(_DURING.format, _SHIFTS_S)})
        _assert_segments_are_rightly_dated(folder / "data/log")


# Where the clock is set to, in seconds from the true one; and what that is a step of.
@pytest.mark.parametrize(
    ("shift_s", "step_s"),
    [
        pytest.param(_SHIFTS_S[0], -2 * _HOUR_S, id="back 2 h"),
        pytest.param(_SHIFTS_S[1], 4 * _HOUR_S, id="forward 4 h, to 2 h ahead"),
        pytest.param(_SHIFTS_S[2], 24 * _HOUR_S, id="forward a day"),
        pytest.param(_SHIFTS_S[3], -26 * _HOUR_S, id="back to the true time"),
    ],
)
def test_a_step_over_an_hours_border_refuses_nothing_and_publishing_goes_on(
    shifted: Shifted, shift_s: float, step_s: float
) -> None:
    service, clock, load = shifted
    told = Told(service)
    clock.set(shift_s)
    warned = told.wait_for(level="warning", event="the clock was set")
    load.wait_for("202", "OK", more=5)
    name = _DURING.format(shift_s)
    answer = service.post(name)
    # By age, not because somebody asks for it.
    wait_until(lambda: _hours_of(service, name), within_s=60, what="an event of now is in the lake")

    assert answer.status_code == 202
    assert abs(warned["seconds"] - step_s) < 5
    assert told.counted("sluice_clock_steps_total", direction="back" if step_s < 0 else "forward") == 1
    assert len(told.messages(level="warning")) == 1
    assert told.messages(level="error") == []
    assert told.counted("sluice_requests_refused_total") == told.counted("sluice_log_failures_total") == 0
    # Or, when an hour ends this very moment, the next.
    assert _hours_of(service, name)[0] in {hour_of(int((time.time() + shift_s - ago) * 1e6)) for ago in (0, 90)}
    assert 0 <= service.status()["oldest_waiting_s"] < _HOUR_S
    assert service.is_ready()


def test_many_small_steps_are_held_or_begin_new_segments_and_are_told_now_and_then(shifted: Shifted) -> None:
    """Four steps were told before: one more is at once, and the others not before the minute is over."""
    service, clock, load = shifted
    told = Told(service)
    for number in range(5):
        clock.set(-0.7 * number if number % 2 else -3.0 * (number + 1))
        load.wait_for("202", more=3)
        wait_until(lambda: _steps(told) > number, what="a step is counted")  # noqa: B023  called before it changes
    clock.set(0)
    load.wait_for("202", "OK")

    warnings = told.messages(level="warning", event="the clock was set")
    assert 1 <= len(warnings) < _steps(told)
    assert told.messages(level="error") == []


def test_after_a_step_back_events_are_followed_found_and_flushed(shifted: Shifted) -> None:
    service, clock, _ = shifted
    clock.set(-3 * _HOUR_S)
    request_id = service.post(_SOUGHT).headers["x-request-id"]
    followed = service.command("tail", "--limit", "3", "--json")
    service.flush()
    found = json.loads(service.command("trace", "--json", request_id))
    clock.set(0)

    assert followed.count('"event_name"') == 3
    assert found["state"] == "published"
    assert service.rows(f"select count(*) from events where event_name = '{_SOUGHT}'") == [(1,)]


def test_a_key_expires_by_the_clock(shifted: Shifted) -> None:
    service, clock, _ = shifted
    key = service.command("keys", "create", "--kind", "server", "--expires-in", "2h").strip()
    wait_until(lambda: service.post(key=key).status_code == 202, what="the key is known")
    clock.set(3 * _HOUR_S)
    wait_until(lambda: service.post(key=key).status_code == 401, what="it has expired")
    clock.set(0)
    wait_until(lambda: service.post(key=key).status_code == 202, what="it is in force again")


def _steps(told: Told) -> int:
    return told.counted("sluice_clock_steps_total")


def _hours_of(service: Service, name: str) -> list[str]:
    """The receive hours of an event of that name, as the lake's folders have them."""
    found = service.rows(
        "select strftime(received_date, '%Y%m%d') || 'T' || lpad(received_hour::varchar, 2, '0') from events "
        f"where event_name = '{name}'"
    )
    return [str(hour) for (hour,) in found]


def _assert_segments_are_rightly_dated(log: Path) -> None:
    """Each segment has records of the hour in its name alone, in times that never run backwards."""
    segments = [sealed for path in (log / "archive").iterdir() if (sealed := parse_sealed(path.name))]
    assert len({segment.hour for segment in segments}) >= 4
    log_as_sealed = LocalSegments(log)
    log_as_sealed._folders.sealed = log / "archive"
    for segment in segments:
        records = [part[1] for part in log_as_sealed.read(segment) if isinstance(part, tuple)]
        times = [record.received_at_us for record in records]
        assert times == sorted(times)
        assert {hour_of(us) for us in times} == {segment.hour}
