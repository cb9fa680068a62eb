"""Whatever a door accepts, in any of its forms, the lake makes rows of: one for each event that the door counted."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.ingest.validate import CUSTOM_EXPOSURES, LOG_EVENT, WEBHOOK, JsonShape, Unclear, Valid
from sluice.log.ports import Body
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record
from tests.support.lake_rows import rows


class _Object(list[tuple[str, Any]]):
    """An object as its members: a key may stand more than once."""


def _text(value: Any) -> str:
    if isinstance(value, _Object):
        return "{" + ",".join(f"{json.dumps(name)}:{_text(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value)


_leaves = st.sampled_from(
    [None, True, 0, 1.5, 3.0, 2**63, "", "statsig::x", "e", "20260101", "1767225600000", _Object()]
)
_some = _leaves | st.lists(_leaves, max_size=2)


def _objects(*names: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[_Object]:
    """Objects that often are right: some of the members as they should be, and others at random."""
    right = [st.tuples(st.just(name), member) for name, member in members.items()]
    others = st.tuples(st.sampled_from([*names, *members, "unknown"]), _some)
    return st.lists(st.one_of(*right, *right, others), max_size=7).map(_Object)


_users = _objects("email", "ip", "custom", "customIDs", userID=st.sampled_from(["u", 7, None]))
_names = st.sampled_from(["e", "statsig::x"])
_times = st.sampled_from([1, 3.0, "2026-01-01", "1767225600000"])
_events = _objects("value", "metadata", "secondaryExposures", user=_users, eventName=_names, time=_times)
_exposures = _objects(
    "secondaryExposures",
    user=_users,
    experimentName=_names,
    gateName=_names,
    passes=st.booleans(),
    group=_names,
    ruleID=_names,
    time=_times,
)
_bodies = {
    "log_event": (LOG_EVENT, _objects("clientTime", user=_users, events=st.lists(_events, max_size=3))),
    "webhook": (
        WEBHOOK,
        _objects("events", "value", "metadata", "statsigMetadata", user=_users, event=_names, timestamp=_times)
        | _objects("event", user=_users, events=st.lists(_events, max_size=3)),
    ),
    "exposures": (
        CUSTOM_EXPOSURES,
        _objects("statsigMetadata", user=_users, exposures=st.lists(_exposures, max_size=3)),
    ),
}
_FORMATS = {
    None: storage.BODY_FORMAT_JSON,
    Body.WEBHOOK_EVENT: storage.BODY_FORMAT_WEBHOOK_EVENT,
}


def _accepted(shape: JsonShape, body: bytes) -> Valid | None:
    found = shape.check(body)
    if isinstance(found, Unclear):
        found = shape.look_closer(body)
    return found if isinstance(found, Valid) else None


@pytest.mark.parametrize("door", _bodies)
@given(data=st.data())
@settings(max_examples=100)
def test_what_a_door_accepts_becomes_as_many_rows(door: str, data: st.DataObject) -> None:
    shape, bodies = _bodies[door]

    _becomes_rows(shape, _text(data.draw(bodies)).encode())


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (WEBHOOK, '{"event":"e","events":null,"user":{},"timestamp":null,"value":null}'),
        (WEBHOOK, '{"event":7,"event":"e","user":{}}'),
        (
            CUSTOM_EXPOSURES,
            '{"exposures":[{"gateName":"g","gateName":null,"experimentName":"e","group":"g","user":{}}]}',
        ),
        (CUSTOM_EXPOSURES, '{"exposures":[{"experimentName":"e","passes":7,"group":"g","ruleID":null,"user":null}]}'),
        (LOG_EVENT, '{"user":null,"user":{"userID":1e400},"events":[{"eventName":"e","time":"20260101"}]}'),
    ],
)
def test_what_stands_twice_or_is_null_becomes_rows(shape: JsonShape, body: str) -> None:
    _becomes_rows(shape, body.encode())


def _becomes_rows(shape: JsonShape, body: bytes) -> None:
    accepted = _accepted(shape, body)
    if accepted is None or not accepted.event_count:
        return
    body_format = storage.BODY_FORMAT_CUSTOM_EXPOSURES if shape is CUSTOM_EXPOSURES else _FORMATS[accepted.body_format]

    found = rows([record(shape.to_store(body), body_format=body_format, event_count=accepted.event_count)])

    assert [row["event_index"] for row in found] == list(range(accepted.event_count))
