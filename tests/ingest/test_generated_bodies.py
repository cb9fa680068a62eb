"""What the doors' check says of generated bodies is what the contract says, and the lake gives back what was taken."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sluice.ingest.validate import LOG_EVENT, WEBHOOK, JsonShape, Unclear, Valid
from sluice.ingest.violations import Invalid
from sluice.storage.v1.log_record_pb2 import BODY_FORMAT_JSON, BODY_FORMAT_WEBHOOK_EVENT, SOURCE_SDK, LogRecord
from tests.support.generated import many_bodies, valid_bodies
from tests.support.kept import assert_kept
from tests.support.lake_rows import rows
from tests.support.oracle import expected_of, is_named_by

_SHAPES = {"/log_event": LOG_EVENT, "/webhooks/event_webhook": WEBHOOK}
_EXAMPLES = int(os.environ.get("SLUICE_TEST_BODIES_CHECKED", "100"))
_settings = settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
_paths = st.sampled_from(sorted(_SHAPES))


def _checked(shape: JsonShape, body: bytes) -> Valid | Invalid:
    found = shape.check(body)
    return shape.look_closer(body) if isinstance(found, Unclear) else found


def _rows_of(shape: JsonShape, body: bytes, found: Valid) -> list[dict[str, Any]]:
    record = LogRecord(
        request_id=bytes(range(16)),
        format_version=1,
        received_at_us=1_767_225_600_000_000,
        body=shape.to_store(body),
        source=SOURCE_SDK,
        body_format=BODY_FORMAT_JSON if found.body_format is None else BODY_FORMAT_WEBHOOK_EVENT,
        event_count=found.event_count,
    )
    return rows([record])


@_settings
@given(path=_paths, data=st.data())
@pytest.mark.timeout(1800)
def test_a_body_that_keeps_the_contract_is_taken_and_each_value_comes_back(path: str, data: st.DataObject) -> None:
    body = data.draw(valid_bodies(path), label="body")
    shape, expected = _SHAPES[path], expected_of(body, path)

    found = _checked(shape, body)

    assert expected.is_valid, "the oracle refuses what was made from the contract"
    assert found == Valid(event_count=len(expected.rows))
    if expected.rows:
        assert_kept(_rows_of(shape, body, found), expected.rows)


@_settings
@given(path=_paths, data=st.data())
@pytest.mark.timeout(1800)
def test_a_body_is_taken_if_the_contract_and_its_leniencies_take_it_else_a_path_is_named(
    path: str, data: st.DataObject
) -> None:
    for body in data.draw(many_bodies(path, 10), label="bodies"):
        event("valid" if _assert_as_the_oracle_says(path, body) else "invalid")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"events":[{"user":{},"eventName":"e","time":false,"time":0}]}', id="false is no 0"),
        pytest.param(b'{"events":[{"user":{},"eventName":"e","time":0}],"events":null}', id="events, and null"),
        pytest.param(b'{"events":[{"eventName":"e","eventName":"statsig::e","time":0}]}', id="the last name counts"),
    ],
)
def test_of_a_key_that_stands_twice_each_value_must_be_right(body: bytes) -> None:
    for path in sorted(_SHAPES):
        _assert_as_the_oracle_says(path, body)


def _assert_as_the_oracle_says(path: str, body: bytes) -> bool:
    shape, expected = _SHAPES[path], expected_of(body, path)

    found = _checked(shape, body)

    if isinstance(found, Invalid):
        said = found.message(max_bytes=1000)
        assert not expected.is_valid, (said, body)
        assert all(is_named_by(violation.path, body) for violation in found.violations), (said, body)
        assert said.isascii()
    else:
        assert expected.is_valid, body
        assert found.event_count == len(expected.rows)
        if expected.rows:
            assert_kept(_rows_of(shape, body, found), expected.rows)
    return expected.is_valid
