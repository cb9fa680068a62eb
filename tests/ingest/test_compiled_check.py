"""Bodies are checked by what is compiled once there is much to check; what that leaves, the plain check does."""

import pytest
import structlog

from bench.events import bodies as of_the_bench
from sluice.events.v1 import events_pb2 as pb
from sluice.ingest import compiled_check, validate, validate_proto
from sluice.ingest.compiled_check import MOST_BYTES, CompiledCheck
from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT, WEBHOOK, Valid
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


def test_small_and_large_bodies_are_left(compiled: CompiledCheck) -> None:
    compiled.load()
    few, message = b'{"events":[]}', MESSAGE

    assert [compiled.events_in_json(few.ljust(size)) for size in (2047, 2048, MOST_BYTES, MOST_BYTES + 1)] == [
        None,
        0,
        0,
        None,
    ]
    padded = [message + _unused(size - len(message)) for size in (MOST_BYTES, MOST_BYTES + 1)]
    assert [compiled.events_in_message(body) for body in padded] == [(20, None), None]
    assert compiled.events_in_message(_unused(1023)) is None
    assert compiled.events_in_message(_unused(1024)) == (0, None)


def _unused(size: int) -> bytes:
    """A message, or more of one, of so many bytes: an idempotency key."""
    text = b"k" * (size - 2)
    while len(field := pb.LogEventRequest(idempotency_key=text.decode()).SerializeToString()) > size:
        text = text[:-1]
    assert len(field) == size
    return field


def test_what_it_would_leave_counts_for_nothing(compiled: CompiledCheck) -> None:
    compiled.preparation.after(len(JSON))

    for body in (b'{"events":[]}', JSON.ljust(MOST_BYTES + 1)):
        assert isinstance(LOG_EVENT.check(body), Valid)
    for shape, body in ((CUSTOM_EXPOSURES, b'{"exposures":[]}'.ljust(5_000)), (LOG_EVENT_REQUEST_OF_JSON, MESSAGE)):
        assert isinstance(shape.check(body), Valid)

    assert compiled.preparation._left == len(JSON)
    LOG_EVENT.check(JSON)
    assert compiled.preparation._left == 0


def test_it_is_prepared_when_enough_was_checked_without_it(compiled: CompiledCheck) -> None:
    CompiledCheck().load()  # so that it was compiled on this machine before
    compiled.preparation.after(2 * len(JSON))

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
    assert compiled_check.COMPILED.preparation._left is None
