"""JSON bodies, case by case: what is kept, where, and with which text."""

from typing import Any

import pytest

from sluice.lake import fields
from sluice.lake import rows as rows_module
from sluice.lake.decode import decode
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.lake_log import record, uuid7
from tests.support.lake_rows import rows

_EVENT = b'"eventName":"e","time":1'


def _row(event: bytes = b"", request: bytes = b"", **fields: Any) -> dict[str, Any]:
    """The row of a request that holds one event: the members given, and those that are required."""
    members = _EVENT if not event else (event if b"eventName" in event else _EVENT + b"," + event)
    body = b'{"events":[{' + members + b"}]" + (b"," + request if request else b"") + b"}"
    (row,) = rows([record(body, **fields)])
    return row


@pytest.mark.parametrize(
    ("event", "column", "kept"),
    [
        pytest.param(b'"user":{"userID":"u1"}', "user_id", "u1", id="text"),
        pytest.param(b'"user":{"userID":12345}', "user_id", "12345", id="a number, as statsig-node sends it"),
        pytest.param(b'"user":{"userID":1.50e3}', "user_id", "1.50e3", id="the number's exact text"),
        pytest.param(b'"user":{"userID":-0}', "user_id", "-0", id="even of minus zero"),
        pytest.param(b'"user":{"userID":null}', "user_id", None, id="null is absent"),
        pytest.param(b'"user":{"userID":""}', "user_id", "", id="empty text is not null"),
        pytest.param(b'"user":null', "user_id", None, id="no user"),
        pytest.param(b'"user":{"user\\u0049D":"u1"}', "user_id", "u1", id="a key written with an escape"),
        pytest.param(b'"user":{"userID":"a","userID":"b"}', "user_id", "b", id="the last of two counts"),
        pytest.param(b'"user":{"userID":"a","userID":null}', "user_id", None, id="also when it is null"),
        pytest.param(b'"user":{"userID":"a"},"user":{"email":"e"}', "user_id", None, id="also of objects"),
        pytest.param(b'"user":{"custom":{"a" : [1, 2.0]}}', "user_custom", '{"a" : [1, 2.0]}', id="exact text"),
        pytest.param(b'"user":{"custom":{}}', "user_custom", "{}", id="empty object"),
        pytest.param(b'"user":{"custom":null}', "user_custom", None, id="null object"),
        pytest.param(b'"user":{"customIDs":{"a":"1","b":null}}', "user_custom_ids", {"a": "1"}, id="null id"),
        pytest.param(b'"user":{"customIDs":{"b":null}}', "user_custom_ids", None, id="only null ids"),
        pytest.param(b'"user":{"customIDs":{}}', "user_custom_ids", None, id="no ids"),
        pytest.param(b'"user":{"customIDs":null}', "user_custom_ids", None, id="null ids, as Go sends them"),
        pytest.param(b'"user":{"customIDs":{"a":"1","a":null}}', "user_custom_ids", None, id="last of two ids"),
        pytest.param(b'"user":{"customIDs":{"STABLEid":"s"}}', "stable_id", "s", id="stable id in any case"),
        pytest.param(
            b'"user":{"customIDs":{"stableid":"a","stableID":"b"}}', "stable_id", "b", id="its own name first"
        ),
        pytest.param(b'"user":{"statsigEnvironment":{"tier":"dev"}}', "environment", "dev", id="tier"),
        pytest.param(b'"metadata":{"k":"\\u00e9\\n"}', "metadata", '{"k":"\\u00e9\\n"}', id="escapes stay"),
        pytest.param(b'"metadata":null', "metadata", None, id="null metadata"),
        pytest.param(b'"secondaryExposures":[]', "secondary_exposures", "[]", id="no secondary exposures"),
        pytest.param(b'"secondaryExposures":"x"', "secondary_exposures", '"x"', id="of any type"),
        pytest.param(b'"eventID":"i1"', "event_id", "i1", id="event id"),
        pytest.param(b'"eventName":"e","time":3.0', "time_ms", 3, id="integral float, as node core sends it"),
        pytest.param(b'"eventName":"e","time":1.767225600e12', "time_ms", 1767225600000, id="with exponent"),
        pytest.param(b'"eventName":"e","time":"2026-01-01T01:00:00+01:00"', "time_ms", 1767225600000, id="ISO-8601"),
        pytest.param(b'"eventName":"e","time":"2026-01-01"', "time_ms", 1767225600000, id="without offset: UTC"),
        pytest.param(b'"eventName":"e","time":-9223372036854775808', "time_ms", -(2**63), id="smallest int64"),
        pytest.param(b'"eventName":"e","time":0', "time_ms", 0, id="time 0 stays"),
    ],
)
def test_a_member_with_a_column_is_kept_there(event: bytes, column: str, kept: object) -> None:
    row = _row(event)

    assert row[column] == kept
    assert row["extra"] is None


@pytest.mark.parametrize(
    ("sent", "number", "text"),
    [
        (b"12.5", 12.5, None),
        (b"0.1", 0.1, None),
        (b"1E2", 100.0, None),
        (b"9007199254740993", 9007199254740992.0, "9007199254740993"),
        (b"0.1000000000000000055511151231257827", 0.1, "0.1000000000000000055511151231257827"),
        (b"1e400", None, "1e400"),
        (b"-1e400", None, "-1e400"),
        (b'"12.50"', 12.5, "12.50"),
        (b'"1e400"', None, "1e400"),
        (b'""', None, ""),
        (b'"NaN"', None, "NaN"),
        (b'"\\u0031"', 1.0, "1"),
        (b"null", None, None),
    ],
)
def test_a_value_is_a_number_or_text_or_both(sent: bytes, number: float | None, text: str | None) -> None:
    row = _row(b'"value":' + sent)

    assert (row["value_number"], row["value_string"]) == (number, text)


@pytest.mark.parametrize(
    ("event", "request_", "extra"),
    [
        pytest.param(b'"unknown": {"a" : 1}', b"", '{"event":{"unknown":{"a" : 1}}}', id="event"),
        pytest.param(b'"unknown":null', b"", None, id="null is absent"),
        pytest.param(b'"u\\n\\"k":1', b"", '{"event":{"u\\n\\"k":1}}', id="a key with escapes"),
        pytest.param(b'"eventID":7', b"", '{"event":{"eventID":7}}', id="event id of another type"),
        pytest.param(b'"statsigMetadata":{"a":1}', b"", '{"event":{"statsigMetadata":{"a":1}}}', id="an SDK's own"),
        pytest.param(b'"statsigMetadata":null', b"", None, id="null of an SDK's own"),
        pytest.param(b'"user":{"ip":5}', b"", '{"user":{"ip":5}}', id="ip of another type"),
        pytest.param(
            b'"user":{"analyticsOnlyMetadata":{"k": 1}}', b"", '{"user":{"analyticsOnlyMetadata":{"k": 1}}}', id="user"
        ),
        pytest.param(
            b'"user":{"statsigEnvironment":{"tier":"dev","x":1}}',
            b"",
            '{"user":{"statsigEnvironment":{"tier":"dev","x":1}}}',
            id="environment with more",
        ),
        pytest.param(
            b'"user":{"statsigEnvironment":{"tier":5}}', b"", '{"user":{"statsigEnvironment":{"tier":5}}}', id="tier"
        ),
        pytest.param(
            b'"user":{"statsigEnvironment":"dev"}', b"", '{"user":{"statsigEnvironment":"dev"}}', id="no object"
        ),
        pytest.param(b'"user":{"statsigEnvironment":{"tier":null}}', b"", None, id="empty environment"),
        pytest.param(b"", b'"unknown":{"a":"b"}', '{"request":{"unknown":{"a":"b"}}}', id="request"),
        pytest.param(b"", b'"user":{"userID":"u"}', None, id="a user for all events"),
        pytest.param(b"", b'"user":{"userID":"u","x":1}', '{"user":{"x":1}}', id="such a user with more"),
        pytest.param(b"", b'"user":7', '{"request":{"user":7}}', id="what is no user, as it was accepted once"),
        pytest.param(b"", b'"clientTime":"7"', None, id="the client's clock, which stands in the record"),
        pytest.param(b"", b'"idempotencyKey":[1]', '{"request":{"idempotencyKey":[1]}}', id="key of another type"),
        pytest.param(
            b"", b'"statsigMetadata":"x"', '{"request":{"statsigMetadata":"x"}}', id="metadata of another type"
        ),
        pytest.param(
            b'"a":1,"user":{"b":2}', b'"c":3', '{"request":{"c":3},"event":{"a":1},"user":{"b":2}}', id="all levels"
        ),
        pytest.param(b'"a":1,"a":2', b"", '{"event":{"a":2}}', id="the last of two"),
        pytest.param(
            b'"statsigMetadata":{"a":1},"b":2', b"", '{"event":{"statsigMetadata":{"a":1},"b":2}}', id="mixed"
        ),
    ],
)
def test_a_member_without_a_column_goes_to_extra(event: bytes, request_: bytes, extra: str | None) -> None:
    assert _row(event, request_)["extra"] == extra


def test_an_environment_with_more_than_a_tier_keeps_its_tier_in_the_column() -> None:
    assert _row(b'"user":{"statsigEnvironment":{"tier":"dev","x":1}}')["environment"] == "dev"


def test_extra_stays_with_its_event_where_others_were_set_aside() -> None:
    body = b'{"events":[{"eventName":"a","x":0},{"eventName":"b","x":1},{"eventName":"c"},{"eventName":"d","x":3}]}'

    found = rows([record(body, quarantined_indices=[0, 2])])

    assert [(row["event_index"], row["event_name"], row["extra"]) for row in found] == [
        (1, "b", '{"event":{"x":1}}'),
        (3, "d", '{"event":{"x":3}}'),
    ]


@pytest.mark.parametrize(
    ("metadata", "fields", "columns"),
    [
        pytest.param(b'{"sdkType":"a"}', {"sdk_type": "h"}, ("a", None, None), id="the body comes first"),
        pytest.param(b"null", {"sdk_type": "h", "sdk_version": "2", "session_id": "s"}, ("h", "2", "s"), id="headers"),
        pytest.param(b'{"sdkType":null,"sessionID":"b"}', {"sdk_type": "h"}, ("h", None, "b"), id="field by field"),
        pytest.param(b'{"sdkType":""}', {"sdk_type": "h"}, ("", None, None), id="empty text counts"),
        pytest.param(b'{"sdkType":7}', {}, (None, None, None), id="webhook: no text"),
    ],
)
def test_the_sdk_is_known_from_the_body_else_from_headers_or_query(
    metadata: bytes, fields: dict[str, str], columns: tuple[str | None, ...]
) -> None:
    row = _row(b"", b'"statsigMetadata":' + metadata, **fields)

    assert (row["sdk_type"], row["sdk_version"], row["session_id"]) == columns
    assert row["sdk_metadata"] == (None if metadata == b"null" else metadata.decode())


def test_the_stable_id_of_the_request_stands_in_where_the_user_has_none() -> None:
    metadata = b'"statsigMetadata":{"stableID":"device"}'

    assert _row(b'"user":{"customIDs":{"companyID":"c"}}', metadata)["stable_id"] == "device"
    assert _row(b'"user":{"customIDs":{"stableID":"own"}}', metadata)["stable_id"] == "own"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("statsig::gate_exposure", "gate_exposure"),
        ("statsig::config_exposure", "config_exposure"),
        ("statsig::layer_exposure", "layer_exposure"),
        ("statsig::diagnostics", "diagnostics"),
        ("statsig::non_exposed_checks", "internal"),
        ("auto_capture::page_view", "internal"),
        ("bought", "custom"),
        ("", "custom"),
    ],
)
def test_an_event_is_of_the_kind_that_its_name_says(name: str, kind: str) -> None:
    assert _row(f'"eventName":"{name}","time":1'.encode())["event_kind"] == kind


_EXPOSURE_COLUMNS = (
    "exposure_name",
    "exposure_value",
    "rule_id",
    "allocated_experiment",
    "parameter_name",
    "exposure_reason",
)


@pytest.mark.parametrize(
    ("name", "metadata", "columns"),
    [
        pytest.param(
            "statsig::gate_exposure",
            b'{"gate":"g","gateValue":"true","ruleID":"r","reason":"Network","config":"no"}',
            ("g", True, "r", None, None, "Network"),
            id="gate",
        ),
        pytest.param(
            "statsig::config_exposure",
            b'{"config":"c","ruleID":"r","rulePassed":"false","gate":"no"}',
            ("c", False, "r", None, None, None),
            id="config",
        ),
        pytest.param(
            "statsig::layer_exposure",
            b'{"config":"l","ruleID":"r","allocatedExperiment":"x","parameterName":"p","isExplicitParameter":"true"}',
            ("l", None, "r", "x", "p", None),
            id="layer",
        ),
        pytest.param(
            "statsig::gate_exposure",
            b'{"gate":"g","gateValue":true}',
            ("g", True, None, None, None, None),
            id="boolean",
        ),
        pytest.param(
            "statsig::gate_exposure",
            b'{"gate":5,"gateValue":"yes","ruleID":{"a":1e400},"reason":true}',
            (None, None, None, None, None, None),
            id="other types stay in metadata",
        ),
        pytest.param(
            "statsig::gate_exposure",
            b'{"gate":"g","gateValue":3}',
            ("g", None, None, None, None, None),
            id="one of them",
        ),
        pytest.param("statsig::gate_exposure", b"null", (None,) * 6, id="no metadata"),
        pytest.param("bought", b'{"gate":"g","ruleID":"r"}', (None,) * 6, id="no exposure"),
    ],
)
def test_an_exposure_has_its_columns(name: str, metadata: bytes, columns: tuple[object, ...]) -> None:
    row = _row(f'"eventName":"{name}","time":1,"metadata":'.encode() + metadata)

    assert tuple(row[column] for column in _EXPOSURE_COLUMNS) == columns
    assert row["metadata"] == (None if metadata == b"null" else metadata.decode())


def test_exposures_stay_with_their_events_among_others() -> None:
    body = (
        b'{"events":[{"eventName":"a"},{"eventName":"statsig::gate_exposure","metadata":{"gate":"g1"}},'
        b'{"eventName":"b","metadata":{"gate":"no"}},{"eventName":"statsig::layer_exposure","metadata":{"config":"l2"}}]}'
    )

    assert [row["exposure_name"] for row in rows([record(body)])] == [None, "g1", None, "l2"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"events":[{"eventName":"e","metadata":{"k":"\xff"}}]}', id="no UTF-8 in what is kept raw"),
        pytest.param(b'{"events":[{"eventName":"\xff"}]}', id="no UTF-8 in text"),
        pytest.param(b'{"events":[{"eventName":"e"}]', id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"events":null}', id="no list"),
        pytest.param(b'{"events":[{"time":1}]}', id="no name"),
        pytest.param(b'{"events":[{"eventName":"e","time":9223372036854775808}]}', id="time is no int64"),
        pytest.param(b'{"events":[{"eventName":"e","time":"tomorrow"}]}', id="time is no time"),
        pytest.param(b'{"events":[{"eventName":"e","value":true}]}', id="value is neither number nor text"),
        pytest.param(b'{"events":[{"eventName":"e","x":1,"user":{"userID":[]}}]}', id="user id is a list"),
        pytest.param(b'{"events":[{"eventName":"e","user":{"customIDs":{"a":1}}}]}', id="custom id is a number"),
    ],
)
def test_a_body_that_no_door_accepts_is_named_and_the_others_are_rows(body: bytes) -> None:
    good = b'{"events":[{"eventName":"good","time":1}]}'

    found = decode([record(good, number=1), record(body, number=2), record(good, number=3)])

    assert [bad.index for bad in found.undecodable] == [1]
    (batch,) = found.batches
    assert batch.column("request_id").to_pylist() == [
        str(uuid7(record(good).received_at_us / 1e6, number)) for number in (1, 3)
    ]


def test_records_that_are_all_undecodable_give_no_rows() -> None:
    found = decode([record(b"{", number=1), record(b"", number=2)])

    assert [bad.index for bad in found.undecodable] == [0, 1]
    assert list(found.batches) == []


_MANY = (
    b'{"events":['
    + b",".join([b'{"eventName":"e%d"%s}' % (i, b',"x":1' if i > 6 else b"") for i in range(9)])
    + b'],"statsigMetadata":{"sdkType":"s"},"c":1}'
)


@pytest.mark.parametrize("quarantined", [[], [0, 4, 8]])
def test_a_body_decoded_in_slices_gives_the_rows_that_it_gives_at_once(
    quarantined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = record(_MANY, event_count=9, quarantined_indices=quarantined)
    at_once = rows([large])

    monkeypatch.setattr(fields, "MAX_EVENTS_AT_ONCE", 2)

    assert len(list(decode([large]).batches)) > 2
    assert rows([large]) == at_once


def test_a_body_decoded_in_slices_gives_no_row_if_its_last_event_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MAX_EVENTS_AT_ONCE", 1)

    found = decode([record(b'{"events":[{"eventName":"a"},{"eventName":1}]}', event_count=2)])

    assert (list(found.batches), [bad.index for bad in found.undecodable]) == ([], [0])


def test_rows_say_whose_request_it_was() -> None:
    row = _row(
        project="shop",
        key_id="key_9",
        source=storage.SOURCE_WEBHOOK,
        client_time_ms=5,
        received_at_us=1_767_225_600_000_000,
    )

    assert (row["project"], row["key_id"], row["source"], row["client_time_ms"]) == ("shop", "key_9", "webhook", 5)
    assert row["received_at"].isoformat() == "2026-01-01T00:00:00+00:00"


def test_what_a_request_says_of_itself_stands_on_its_first_row_only_if_it_would_take_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_module, "MAX_REPEATED_BYTES", 100)
    small = b'{"events":[{"eventName":"a"},{"eventName":"b"}],"statsigMetadata":{"sdkType":"s"}}'
    large = (
        b'{"events":[{"eventName":"a"},{"eventName":"b"}],"statsigMetadata":{"sdkType":"l","x":"' + b"x" * 99 + b'"}}'
    )

    found = rows([record(small, number=1), record(large, number=2), record(small, number=3)])

    assert [row["sdk_type"] for row in found] == ["s", "s", "l", None, "s", "s"]
    assert [row["sdk_metadata"] is None for row in found] == [False, False, False, True, False, False]
    assert all(row["request_id"] for row in found)
