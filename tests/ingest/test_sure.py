"""Bodies are checked by what is compiled once there is much to check; what that leaves, the plain check does."""

import pytest
import structlog

from bench.events import bodies as of_the_bench
from sluice.ingest import sure, validate, validate_proto
from sluice.ingest.sure import MOST_BYTES, CompiledCheck
from sluice.ingest.validate import LOG_EVENT, WEBHOOK, Valid
from sluice.ingest.validate_proto import LOG_EVENT_REQUEST, LOG_EVENT_REQUEST_OF_JSON
from sluice.ingest.violations import Invalid
from tests.support.waiting import wait_until

[JSON] = of_the_bench(20, batch=20, seed=2, typed=False).bodies
[MESSAGE] = of_the_bench(20, batch=20, seed=2, typed=True).bodies
_LOADS_WITHIN_S = 110


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> CompiledCheck:
    """The one of the doors, without anything loaded."""
    check = CompiledCheck()
    for module in (validate, validate_proto):
        monkeypatch.setattr(module, "COMPILED", check)
    return check


def test_until_it_is_there_the_plain_check_does_it_all(compiled: CompiledCheck) -> None:
    assert compiled.events_in_json(JSON) is None
    assert compiled.events_in_message(MESSAGE) is None
    assert LOG_EVENT.check(JSON) == Valid(event_count=20)
    assert LOG_EVENT_REQUEST.check(MESSAGE) == Valid(event_count=20)


def test_once_it_is_there_it_takes_most(compiled: CompiledCheck) -> None:
    compiled.load()

    for shape, body in ((LOG_EVENT, JSON), (WEBHOOK, JSON), (LOG_EVENT_REQUEST, MESSAGE)):
        assert shape.check(body) == Valid(event_count=20, is_stored_as_it_is=True)
    # What it can't know enough of.
    assert LOG_EVENT_REQUEST_OF_JSON.check(MESSAGE) == Valid(event_count=20)


def test_what_it_leaves_is_judged_in_the_same_words(compiled: CompiledCheck) -> None:
    bad, odd = JSON.replace(b'"time":', b'"tame":', 1), JSON.replace(b'"time":', b'"else":[0],"time":', 1)
    before = LOG_EVENT.check(bad), LOG_EVENT.look_closer(bad), LOG_EVENT.check(odd)
    compiled.load()

    assert (LOG_EVENT.check(bad), LOG_EVENT.look_closer(bad), LOG_EVENT.check(odd)) == before
    assert isinstance(before[1], Invalid)
    assert before[2] == Valid(event_count=20)


@pytest.mark.parametrize("size", [2047, MOST_BYTES + 1])
def test_small_and_large_bodies_are_left(compiled: CompiledCheck, size: int) -> None:
    compiled.load()

    assert compiled.events_in_json(JSON[:500].ljust(size)) is None
    assert LOG_EVENT.check(b'{"events":[]}'.ljust(size)) == Valid(event_count=0)


def test_it_is_prepared_when_enough_was_checked_without_it(compiled: CompiledCheck) -> None:
    CompiledCheck().load()  # so that it was compiled on this machine before
    compiled.preparation.after(50)

    for body, shape in ((JSON, LOG_EVENT), (MESSAGE, LOG_EVENT_REQUEST), (JSON, WEBHOOK)):
        assert compiled.events_in_json(JSON) is None
        assert shape.check(body) == Valid(event_count=20)

    wait_until(lambda: compiled.events_in_json(JSON) == 20, within_s=_LOADS_WITHIN_S)
    compiled.preparation.close()


def test_where_it_can_not_be_had_that_is_told_once(compiled: CompiledCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null/none")
    compiled.preparation.after(0)

    with structlog.testing.capture_logs() as told:
        LOG_EVENT.check(JSON)
        wait_until(lambda: told != [], within_s=_LOADS_WITHIN_S)
        compiled.preparation.close()

    [message] = told
    assert message["event"] == "no compiled check of bodies; the plain one does its work"
    assert "NUMBA_CACHE_DIR" in message["hint"]
    assert LOG_EVENT.check(JSON) == Valid(event_count=20)


def test_no_one_but_a_worker_asks_for_it() -> None:
    assert sure.COMPILED.preparation._after_events is None
