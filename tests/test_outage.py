"""What lasts is told once per cause, and once when it is over."""

import errno
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sluice.errors import SluiceError
from sluice.outage import Outage, cause_of, hint_of
from sluice.telemetry import messages_of


@pytest.fixture
def told() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as messages:
        yield messages


def _outage() -> Outage:
    return Outage(messages_of("test"), fails="it fails", is_over="it is well")


def test_each_cause_is_told_once_and_the_end_once(told: list[Any]) -> None:
    outage = _outage()
    for _ in range(100):
        outage.failed("write", hint="free some", error="no room")
        outage.failed("sync", hint="mend it")
    outage.over(refused=3)
    outage.over()

    assert [(m["log_level"], m["event"], m.get("cause")) for m in told] == [
        ("error", "it fails", "write"),
        ("error", "it fails", "sync"),
        ("warning", "it is well", None),
    ]
    assert told[0]["error"] == "no room"
    assert told[2]["refused"] == 3
    assert told[2]["after_s"] >= 0


def test_the_next_outage_is_told_anew(told: list[Any]) -> None:
    outage = _outage()
    for _ in range(2):
        outage.failed("write", hint="free some")
        assert outage.is_on
        outage.over()
        assert not outage.is_on

    assert len(told) == 4


def test_its_beginning_and_its_end_both_say_whose_it_is(told: list[Any]) -> None:
    outage = Outage(messages_of("test"), fails="it fails", is_over="it is well", table="events")
    outage.failed("write", hint="free some")
    outage.over()

    assert [message["table"] for message in told] == ["events", "events"]


def test_a_cause_that_befalls_many_is_told_of_the_first(told: list[Any]) -> None:
    outage = _outage()
    for number in range(1000):
        outage.failed("unreadable", hint="mend it", about=f"segment {number}")

    assert len(told) == 20


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device", "/a/b"), "ENOSPC", id="of the system"),
        pytest.param(OSError(errno.EWOULDBLOCK, "later"), "EAGAIN", id="one that has two names"),
        pytest.param(OSError("no number"), "OSError", id="without a number"),
        pytest.param(OSError(99999, "no such number"), "OSError", id="a number that the system does not know"),
        pytest.param(SluiceError("port 4711 is taken"), "SluiceError", id="not of the system"),
    ],
)
def test_an_error_is_one_cause_whatever_path_or_number_its_text_has(error: Exception, cause: str) -> None:
    assert cause_of(error) == cause


_EVERY_ERROR = [OSError(number, os.strerror(number), "/data/f") for number in sorted(errno.errorcode)] + [
    OSError("no number"),
    TimeoutError(),
    SluiceError("port 4711 is taken"),
    RuntimeError("a fault"),
]


@pytest.mark.parametrize("error", _EVERY_ERROR, ids=repr)
def test_there_is_a_hint_for_every_error(error: Exception) -> None:
    hint = hint_of(error)

    assert hint
    assert "{" not in hint


def test_a_hint_names_what_it_is_about() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/data/f")

    assert hint_of(full) == "free space on the disk of /data/f"
    assert hint_of(full, "/data") == "free space on the disk of /data"
    assert hint_of(OSError(errno.EIO, "broken")) == "see dmesg: the disk of the data folder fails"
    assert hint_of(SluiceError("taken", hint="choose another")) == "choose another"
