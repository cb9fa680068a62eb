"""Some events of a record are chosen by name, and become the rows that the lake will have."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.events.v1 import events_pb2 as api
from sluice.lake.choice import choose, event_names
from sluice.lake.fields import MAX_EVENTS_AT_ONCE
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record
from tests.support.lake_rows import rows


def _json_record(names: Sequence[str], **fields: object) -> storage.LogRecord:
    events = [
        {"eventName": name, "time": 1, "user": {"userID": "u"}, "metadata": {"n": i}} for i, name in enumerate(names)
    ]
    return record(json.dumps({"events": events}).encode(), event_count=len(names), **fields)


def _proto_record(kind: type, body_format: int, names: Sequence[str]) -> storage.LogRecord:
    request = kind(events=[api.Event(event_name=name) for name in names])
    return record(request.SerializeToString(), event_count=len(names), body_format=body_format)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=6))
def test_names_are_those_of_the_rows_in_each_encoding(names: list[str]) -> None:
    for each in (
        _json_record(names),
        _proto_record(api.LogEventRequest, storage.BODY_FORMAT_LOG_EVENT_REQUEST, names),
        _proto_record(api.ReceiveWebhookEventRequest, storage.BODY_FORMAT_RECEIVE_WEBHOOK_EVENT_REQUEST, names),
    ):
        assert event_names(each) == names == [row["event_name"] for row in rows([each])]


def test_of_a_key_that_stands_twice_the_last_counts_as_in_the_rows() -> None:
    twice = record(b'{"events":[],"events":[{"eventName":"a","eventName":"b","time":1,"more":[1]}]}', event_count=1)

    assert event_names(twice) == ["b"] == [row["event_name"] for row in rows([twice])]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"events":[{}]}', b'{"events":[{"eventName":"\xff"}]}'])
def test_a_body_that_cannot_be_read_has_no_names(body: bytes) -> None:
    assert event_names(record(body)) is None


@given(st.data())
def test_the_chosen_rows_are_those_of_all_rows(data: st.DataObject) -> None:
    names = ["a", "b", "c", "d"]
    set_aside = data.draw(st.sets(st.integers(0, 3)), label="set aside")
    chosen = data.draw(st.sets(st.integers(0, 3)), label="chosen")
    every = rows([_json_record(names, quarantined_indices=sorted(set_aside))])
    some = _json_record(names, quarantined_indices=sorted(set_aside))

    choose(some, chosen)

    assert rows([some]) == [row for row in every if row["event_index"] in chosen]


def test_a_few_are_chosen_of_very_many() -> None:
    large = _json_record(["e"] * (MAX_EVENTS_AT_ONCE + 500))

    choose(large, [3, MAX_EVENTS_AT_ONCE + 7])

    assert [row["event_index"] for row in rows([large])] == [3, MAX_EVENTS_AT_ONCE + 7]
