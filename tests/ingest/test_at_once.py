"""What is handed to the log where it arrives, what is left to others, and that each is told, and counted, once."""

import gzip
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.contract import Source
from sluice.ingest import metrics, service_body
from sluice.ingest.admission import Admission
from sluice.ingest.at_once import AtOnce
from sluice.ingest.caller import Caller
from sluice.ingest.context import IngestContext
from sluice.ingest.door import INLINE_BYTES
from sluice.ingest.event_count import EventCounts
from sluice.ingest.outcome import Accepted, Outcome, Unavailable, Why
from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile
from sluice.keys.store import Keys
from sluice.log.ports import Entry, LogUnavailable

_DOOR = service_body.WAYS[f"/{service_body.SERVICE}/LogEvent"].door
_EVENT = b'{"eventName":"e","user":{"userID":"u"},"time":1}'
_GOOD = b'{"events":[' + _EVENT + b"]}"
_LARGE = b'{"events":[' + b",".join([_EVENT] * (INLINE_BYTES // len(_EVENT))) + b"]}"
_ID = bytes(16)


class _Log:
    """Keeps what it is handed, and tells nobody until a test does."""

    healthy = True
    raises: Exception | None = None

    def __init__(self) -> None:
        self.handed: list[tuple[Entry, Callable[[bool], None]]] = []

    def put(self, entry: Entry, done: Callable[[bool], None]) -> None:
        if self.raises is not None:
            raise self.raises
        self.handed.append((entry, done))

    async def append(self, _entry: Entry) -> None:
        raise AssertionError


class _World:
    def __init__(self, folder: Path) -> None:
        _, self.secret = KeyFile(folder / "keys.json").create(kind=Kind.SERVER)
        self.log = _Log()
        self.admission = Admission(2**20)
        context = IngestContext(
            keys=Keys(folder / "keys.json"),  # type: ignore[arg-type]  nobody catches up here
            appender=self.log,
            admission=self.admission,
            max_body_bytes=2**20,
            clock=time.time,
            event_counts=EventCounts(),
        )
        self.at_once = AtOnce(context)
        self.told: list[Outcome] = []

    def take(self, body: bytes = _GOOD, **caller: Any) -> bool:
        said = {"secret": self.secret, "client_time": "1"} | caller
        who = Caller(
            secret_in_query=False,
            sdk_type="",
            sdk_version="",
            session_id="",
            event_count="",
            transcoded=True,
            **said,
        )
        return self.at_once.take(_DOOR, who, body, _ID, self.told.append)


@pytest.fixture
def world(tmp_path: Path) -> _World:
    return _World(tmp_path)


def _refused(reason: str) -> float:
    return float(metrics._REFUSED.labels(reason)._value.get())


def _accepted() -> float:
    return float(metrics._ACCEPTED[Source.SDK][0]._value.get())


@pytest.mark.parametrize(
    ("body", "caller"),
    [
        pytest.param(_GOOD, {}, id="plain"),
        pytest.param(gzip.compress(_GOOD), {"content_encoding": "gzip"}, id="packed"),
        pytest.param(_GOOD[:-1] + b',"statsigMetadata":{"clientTime":7}}', {}, id="with metadata"),
    ],
)
def test_what_is_small_and_valid_is_handed_over_and_told_when_it_is_durable(
    world: _World, body: bytes, caller: dict[str, Any]
) -> None:
    before = _accepted()

    assert world.take(body, **caller)
    [(entry, done)] = world.log.handed
    assert entry.event_count == 1
    assert world.told == []
    assert world.admission.in_flight_bytes == len(entry.body)
    done(True)
    done(True)

    assert world.told == [Accepted()]
    assert world.admission.in_flight_bytes == 0
    assert _accepted() == before + 1


@pytest.mark.parametrize(
    ("body", "caller"),
    [
        pytest.param(_LARGE, {}, id="large"),
        pytest.param(gzip.compress(_LARGE), {"content_encoding": "gzip"}, id="large when unpacked"),
        pytest.param(_GOOD, {"content_encoding": "gzip"}, id="not what it says"),
        pytest.param(_GOOD, {"secret": "secret-other"}, id="unknown key"),
        pytest.param(_GOOD, {"secret": None}, id="no key"),
        pytest.param(_GOOD, {"client_time": None}, id="no client time"),
        pytest.param(_GOOD, {"client_time": "soon"}, id="another client time"),
        pytest.param(b'{"events":[]}', {}, id="no events"),
        pytest.param(b'{"events":[{}]}', {}, id="a bad event"),
        pytest.param(b"[", {}, id="no JSON"),
    ],
)
def test_all_else_is_left_as_it_came(world: _World, body: bytes, caller: dict[str, Any]) -> None:
    assert not world.take(body, **caller)

    assert world.log.handed == []
    assert world.told == []
    assert world.admission.in_flight_bytes == 0


def test_what_is_not_healthy_or_has_no_room_is_left_too(world: _World) -> None:
    world.log.healthy = False
    assert not world.take()

    world.log.healthy = True
    assert world.admission.admit(2**20)
    assert not world.take()
    assert world.log.handed == []


def test_a_log_that_refuses_is_told_and_counted_once(world: _World) -> None:
    before = _refused("log_unavailable")
    world.log.raises = LogUnavailable("full")
    assert world.take()

    world.log.raises = None
    assert world.take()
    world.log.handed[0][1](False)

    assert world.told == [Unavailable(Why.LOG_UNAVAILABLE)] * 2
    assert _refused("log_unavailable") == before + 2
    assert world.admission.in_flight_bytes == 0


def test_a_fault_of_the_log_gives_back_what_was_admitted(world: _World) -> None:
    world.log.raises = ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        world.take()

    assert world.told == []
    assert world.admission.in_flight_bytes == 0


def test_what_waits_is_given_up_once_and_what_comes_later_is_left(world: _World) -> None:
    before = _refused("stopping")
    assert world.take()
    world.at_once.give_up()
    world.log.handed[0][1](True)

    assert world.told == [Unavailable(Why.STOPPING)]
    assert _refused("stopping") == before + 1
    assert world.admission.in_flight_bytes == 0
    assert not world.take()


def test_threads_that_take_and_tell_at_the_same_time_leave_nothing_in_flight(world: _World) -> None:
    def take() -> None:
        for _ in range(200):
            assert world.take()
            world.log.handed.pop()[1](True)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert world.told == [Accepted()] * 800
    assert world.admission.in_flight_bytes == 0
