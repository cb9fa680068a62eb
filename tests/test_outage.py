"""What lasts is told once per cause, and once when it is over."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sluice.outage import Outage
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
        outage.failed("write", error="no room")
        outage.failed("sync")
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
        outage.failed("write")
        assert outage.is_on
        outage.over()
        assert not outage.is_on

    assert len(told) == 4


def test_a_cause_that_befalls_many_is_told_of_the_first(told: list[Any]) -> None:
    outage = _outage()
    for number in range(1000):
        outage.failed("unreadable", about=f"segment {number}")

    assert len(told) == 20
