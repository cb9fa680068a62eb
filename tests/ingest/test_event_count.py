"""A request that has another number of events than it says is counted and told, and accepted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
import structlog
from prometheus_client import REGISTRY

from sluice.ingest.caller import Caller, caller_of
from sluice.ingest.event_count import EventCounts
from sluice.log.ids import new_request_id
from tests.support.ingest_server import IngestServer, rest

_CALLER = caller_of([("statsig-sdk-type", "js-client")])
_TWO = b'{"events":[{"user":{},"eventName":"a","time":1},{"user":{},"eventName":"b","time":1}]}'


def _counted(arrived: str) -> float:
    return REGISTRY.get_sample_value("sluice_event_count_differences_total", {"arrived": arrived}) or 0


@pytest.fixture
def told() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as messages:
        yield messages


def _compare(counts: EventCounts, said: str, arrived: int, caller: Caller = _CALLER) -> None:
    counts.compare(said, arrived, caller, new_request_id())


@pytest.mark.parametrize("said", ["2", "02", "", "two", "-1", "2.0", "9" * 5000])
def test_the_same_number_or_none_is_nothing_to_tell(told: list[Any], said: str) -> None:
    before = (_counted("fewer"), _counted("more"))

    _compare(EventCounts(), said, 2)

    assert (told, _counted("fewer"), _counted("more")) == ([], *before)


def test_a_difference_is_counted_each_time_and_told_once_a_minute(told: list[Any]) -> None:
    now = 100.0
    counts = EventCounts(lambda: now)
    before = (_counted("fewer"), _counted("more"))

    for _ in range(3):
        _compare(counts, "5", 2)
    _compare(counts, "1", 2)
    now += 60
    _compare(counts, "5", 0)

    assert (_counted("fewer") - before[0], _counted("more") - before[1]) == (4, 1)
    assert [(message["told"], message["arrived"], message["others_untold"]) for message in told] == [
        (5, 2, 0),
        (5, 0, 3),
    ]
    assert told[0]["log_level"] == "warning"
    assert told[0]["sdk_type"] == "js-client"


@pytest.mark.parametrize(
    ("headers", "query"),
    [([("statsig-event-count", "5")], ""), ([], "&ec=5"), ([("statsig-event-count", "5")], "&ec=2")],
)
def test_a_request_that_lost_events_is_accepted(
    server: IngestServer, channel: grpc.Channel, client_key: str, headers: list[tuple[str, str]], query: str
) -> None:
    before = _counted("fewer")

    answer = rest(channel, _TWO, *headers, path=f"/v1/rgstr?k={client_key}&t=1{query}")

    assert answer.code is grpc.StatusCode.OK
    assert server.log.entries[0].event_count == 2
    assert _counted("fewer") == before + 1


def _recorded() -> Iterator[Any]:
    for file in sorted((Path(__file__).parents[1] / "fixtures/sdk").glob("*.jsonl")):
        for line in file.read_text().splitlines():
            request = json.loads(line)
            target = request["line"].split()[1]
            headers = {name.lower(): value for name, value in request["headers"]}
            said = headers.get("statsig-event-count") or parse_qs(urlsplit(target).query).get("ec", [""])[0]
            if urlsplit(target).path in {"/v1/log_event", "/v1/rgstr"}:
                yield pytest.param(said, json.loads(request["body"]), id=file.stem)


@pytest.mark.parametrize(("said", "body"), list(_recorded()))
def test_no_sdk_gives_an_alarm_by_what_it_ordinarily_sends(told: list[Any], said: str, body: dict[str, Any]) -> None:
    assert said.isdecimal()

    _compare(EventCounts(), said, len(body["events"]))

    assert told == []
