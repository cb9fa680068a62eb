"""Both transcodings: what Envoy makes of JSON and what the workers read themselves become the same rows.

Two independent decoders check each other: Envoy's JSON parser with the lake's protobuf decoder, and msgspec with the
lake's JSON decoder. `make test-transcoding` sends 10,000 bodies, `make test` a hundred.
"""

import gzip
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import brotli
import httpx
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.log.segment import LOG_FOLDER
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.lake_rows import parsed, rows
from tests.support.log_records import NewRecords
from tests.support.service import Service

_BODIES = int(os.environ.get("SLUICE_TEST_BODIES", "100"))
# What differs because the request is another one.
_OF_THE_REQUEST = ("request_id", "received_at", "event_time")


class Mode:
    """A service in one mode, and the records that it has written and a test hasn't seen."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._client = httpx.Client(base_url=service.rest, timeout=30)
        self._records = NewRecords(service.data_dir / LOG_FOLDER)

    def send(self, body: bytes, path: str, **headers: str) -> tuple[httpx.Response, list[LogRecord]]:
        """Post a body; return the answer, and what it made the service write."""
        sent = {
            "statsig-api-key": self.service.server_key,
            "statsig-client-time": "1767225600000",
            "content-type": "application/json",
        }
        answer = self._client.post(path, content=body, headers=sent | headers)
        return answer, self._records.read()

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def modes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Mode]]:
    # One worker and no sealing: what was written last stands at the end of the only open segment.
    flags = ("--workers", "1", "--seal-age", "1h", "--seal-size", "1GiB")
    with (
        Service(tmp_path_factory.mktemp("body") / "data", *flags) as body,
        Service(tmp_path_factory.mktemp("typed") / "data", *flags, "--transcoding", "typed") as typed,
    ):
        opened = {"body": Mode(body), "typed": Mode(typed)}
        yield opened
        for mode in opened.values():
            mode.close()


def _numbers() -> st.SearchStrategy[int | float]:
    # Numbers that a double holds; -0.0 is 0 for Envoy.
    held = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    return held.filter(lambda number: str(number) != "-0.0")


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_json_value = st.recursive(
    st.none() | st.booleans() | _numbers() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_free_form = st.dictionaries(_text, _json_value, max_size=4)
_exposure_metadata = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("gate", "config", "ruleID", "allocatedExperiment", "parameterName", "reason"), _text),
        "gateValue": st.sampled_from(["true", "false", True, "maybe", 1]),
        "rulePassed": st.sampled_from(["true", False, None]),
    },
)
_user = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("userID", "email", "ip", "userAgent", "country", "locale", "appVersion"), _text),
        "custom": _free_form,
        "customIDs": st.dictionaries(_text | st.sampled_from(["stableID", "STABLEID", "companyID"]), _text, max_size=3),
        "statsigEnvironment": st.fixed_dictionaries({}, optional={"tier": _text}),
    },
)
_event = st.fixed_dictionaries(
    {
        "user": _user,
        "eventName": _text | st.sampled_from(["statsig::gate_exposure", "statsig::layer_exposure", "auto_capture::x"]),
        "time": st.integers(-(2**63), 2**63 - 1) | st.integers(1_700_000_000_000, 1_800_000_000_000),
    },
    optional={
        "value": _text | _numbers() | _numbers().map(str),
        "metadata": _free_form | _exposure_metadata,
        "secondaryExposures": st.lists(_free_form, min_size=1, max_size=3),
        "eventID": _text,
    },
)
_request = st.fixed_dictionaries(
    {"events": st.lists(_event, min_size=1, max_size=4)},
    optional={
        "statsigMetadata": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("sdkType", "sdkVersion", "sessionID", "stableID"), _text)
        ),
        "idempotencyKey": _text,
        "user": _user,
        "clientTime": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**53).map(str),
    },
)
_spellings = st.fixed_dictionaries({"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 1])})


@settings(
    max_examples=_BODIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(request=_request, spelling=_spellings)
@pytest.mark.timeout(1800)
def test_a_body_within_the_contract_becomes_the_same_rows_in_both_modes(
    modes: dict[str, Mode], request: dict[str, Any], spelling: dict[str, Any]
) -> None:
    if "user" in request:
        request["events"][0].pop("user")
    body = json.dumps(request, **spelling).encode()

    found = {}
    for name, mode in modes.items():
        answer, records = mode.send(body, "/v1/log_event")
        assert (answer.status_code, answer.json()) == (202, {"success": True}), name
        found[name] = [_compared(row) for row in rows(records)]

    assert len(found["body"]) == len(request["events"])
    assert found["typed"] == found["body"]


def _compared(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parsed(row).items() if name not in (*_OF_THE_REQUEST, "key_id")}


_GOOD = {"user": {"userID": "u1"}, "eventName": "e", "time": 1767225600000}


def _with(**fields: Any) -> bytes:
    return json.dumps({"events": [_GOOD | fields]}).encode()


@pytest.mark.parametrize(
    ("body", "columns", "in_body", "in_typed"),
    [
        pytest.param(
            _with(colour="red"), ("extra",), ('{"event":{"colour":"red"}}',), (None,), id="a field beyond the schema"
        ),
        pytest.param(
            _with(metadata={"n": 2**53 + 1}),
            ("metadata",),
            ('{"n": 9007199254740993}',),
            ('{"n":9007199254740992.0}',),
            id="a number that a double can't hold",
        ),
        pytest.param(
            b'{"events":[{"user":{},"eventName":"e","time":1,"metadata":{ "b":1.50, "a":"\\u0041"}}]}',
            ("metadata",),
            ('{ "b":1.50, "a":"\\u0041"}',),
            ('{"a":"A","b":1.5}',),
            id="the exact text of free-form JSON",
        ),
        pytest.param(
            _with(value=2**53 + 1),
            ("value_number", "value_string"),
            (2.0**53, str(2**53 + 1)),
            (2.0**53, None),
            id="such a number as value",
        ),
        pytest.param(
            b'{"events":[{"user":{"userID":"a","email":"e"},"user":{"userID":"b"},"eventName":"e","time":1}]}',
            ("user_id", "user_email"),
            ("b", None),
            ("b", "e"),
            id="a user twice",
        ),
        pytest.param(
            _with(secondaryExposures=[]), ("secondary_exposures",), ("[]",), (None,), id="an empty list of exposures"
        ),
    ],
)
def test_what_typed_mode_cannot_carry_is_as_the_documents_say(
    modes: dict[str, Mode],
    body: bytes,
    columns: tuple[str, ...],
    in_body: tuple[str | float | None, ...],
    in_typed: tuple[str | float | None, ...],
) -> None:
    for name, kept in (("body", in_body), ("typed", in_typed)):
        answer, records = modes[name].send(body, "/v1/log_event")
        [row] = rows(records)

        assert answer.status_code == 202
        assert tuple(row[column] for column in columns) == kept, name


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(b"", "events", id="no body"),
        pytest.param(b"{}", "events", id="no events"),
        pytest.param(b'{"event":[1]}', "events", id="events misspelt"),
        pytest.param(b'{"events":[]}', "events", id="an empty list"),
        pytest.param(b'{"events":[null]}', "events", id="an event that is null"),
        pytest.param(_with(time=None), "events[0].time: missing", id="time null"),
        pytest.param(_with(time="2026-01-01T00:00:00Z"), "events[0].time", id="ISO-8601"),
        pytest.param(_with(user=None), "events[0].user: missing", id="user null"),
        pytest.param(_with(user={"userID": 12345}), "events[0].user.userID", id="userID a number"),
        pytest.param(_with(user={"appVersion": 5}), "events[0].user.appVersion", id="appVersion a number"),
        pytest.param(_with(metadata=json.loads('{"a":' * 40 + "1" + "}" * 40)), "32 levels", id="deep"),
        pytest.param(_with(metadata={"a": json.loads("[" * 200 + "]" * 200)}), "too deep", id="deeper"),
        pytest.param(b'{"events":[{"user":{},"eventName":"e","time":1,"value":1e400}]}', "double", id="1e400"),
    ],
)
def test_what_typed_mode_refuses_is_400_and_writes_nothing(modes: dict[str, Mode], body: bytes, named: str) -> None:
    answer, records = modes["typed"].send(body, "/v1/log_event")

    assert answer.status_code == 400
    assert {"message", "status", "errors"} <= set(answer.json())
    assert named in answer.json()["message"]
    assert records == []


_LENIENT = '{"events":[{"user":{"userID":"u1"},"eventName":"e","time":5}]}'


@pytest.mark.parametrize(
    ("body", "events"),
    [
        pytest.param(_LENIENT.replace("5", '"5"'), 1, id="time as text"),
        pytest.param(_LENIENT.replace("eventName", "event_name").replace("userID", "user_id"), 1, id="proto's names"),
        pytest.param(_LENIENT.replace("[", "").replace("]", ""), 1, id="an event in place of the array"),
        pytest.param(f"{_LENIENT[:-1]},{_LENIENT[1:]}", 2, id="events twice"),
        pytest.param(_LENIENT.replace('"', "'"), 1, id="single quotes"),
        pytest.param(_LENIENT.replace('"events"', "events"), 1, id="unquoted keys"),
        pytest.param(_LENIENT.replace("]", ",]"), 1, id="a comma before the end"),
        pytest.param(_LENIENT.replace("u1", "u\n1"), 1, id="a control character"),
        pytest.param(_LENIENT.replace("u1", "C:\\q"), 1, id="an escape that is none"),
        pytest.param(_LENIENT.replace("5", '"+5"'), 1, id="time with a sign"),
        pytest.param(_LENIENT.replace("]", ",null]"), 1, id="an event that is null"),
    ],
)
def test_what_typed_mode_accepts_beyond_the_contract_is_as_the_documents_say(
    modes: dict[str, Mode], body: str, events: int
) -> None:
    answer, records = modes["typed"].send(body.encode(), "/v1/log_event")

    assert answer.status_code == 202
    assert [(row["event_name"], row["time_ms"]) for row in rows(records)] == [("e", 5)] * events


@pytest.mark.parametrize(("opening", "closing", "levels"), [('{"a":', "}", 32), ("[", "]", 48)])
def test_how_deep_typed_mode_reads(modes: dict[str, Mode], opening: str, closing: str, levels: int) -> None:
    for depth, status in ((levels, 202), (levels + 1, 400)):
        text = '{"a":' + opening * depth + "1" + closing * depth + "}"
        body = _with(metadata=0).replace(b'"metadata": 0', f'"metadata": {text}'.encode())

        assert modes["typed"].send(body, "/v1/log_event")[0].status_code == status, depth


def test_a_body_that_is_too_large_for_envoy_to_read_loses_nothing(modes: dict[str, Mode]) -> None:
    answer, records = modes["typed"].send(_with(metadata={"a": [0] * 1_500_000}, colour="red"), "/v1/log_event")
    [row] = rows(records)

    assert answer.status_code == 202
    assert row["extra"] == '{"event":{"colour":"red"}}'


def test_a_wrong_key_is_401_and_private_attributes_are_not_kept(modes: dict[str, Mode]) -> None:
    private = _with(user={"userID": "u1", "privateAttributes": {"a": "s3cret"}})

    refused, nothing = modes["typed"].send(private, "/v1/log_event", **{"statsig-api-key": "secret-unknown"})
    accepted, [record] = modes["typed"].send(private, "/v1/log_event")

    assert (refused.status_code, set(refused.json()), nothing) == (401, {"message"}, [])
    assert accepted.status_code == 202
    assert b"s3cret" not in record.SerializeToString()


@pytest.mark.parametrize("path", ["/v1/rgstr_b", "/v1/log_event"])
@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ('"1767225600000"', 202, ""),
        ("1767225600000", 202, ""),
        ('"soon"', 400, "clientTime: expected integer (ms since epoch)"),
        ("null", 400, "STATSIG-CLIENT-TIME: missing"),
    ],
)
def test_both_modes_find_the_clients_clock_in_the_body(
    modes: dict[str, Mode], path: str, sent: str, status: int, said: str
) -> None:
    body = f'{{"clientTime":{sent},"events":[{json.dumps(_GOOD)}]}}'.encode()

    for name, mode in modes.items():
        answer, records = mode.send(body, path, **{"statsig-client-time": ""})

        assert answer.status_code == status, name
        assert said in answer.json().get("message", ""), name
        assert [record.client_time_ms for record in records] == [1767225600000] * (status == 202), name


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/webhooks/event_webhook", {"event": "paid", "user": {"userID": 7}, "value": 2**53 + 1, "colour": "red"}),
        ("/v1/webhooks/event_webhook", {"events": [_GOOD | {"colour": "red"}], "statsigMetadata": {"sdkType": "x"}}),
        ("/v1/log_custom_exposure", {"exposures": [{"experimentName": "e", "group": "g", "user": {"userID": "u"}}]}),
    ],
)
def test_where_no_typed_message_could_hold_all_both_modes_do_the_same(
    modes: dict[str, Mode], path: str, body: dict[str, Any]
) -> None:
    found = {}
    for name, mode in modes.items():
        answer, records = mode.send(json.dumps(body).encode(), path)
        assert answer.status_code == 202, name
        found[name] = [_compared(row) for row in rows(records)]

    assert len(found["body"]) == 1
    assert found["typed"] == found["body"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br"])
def test_a_packed_body_loses_nothing_in_typed_mode(modes: dict[str, Mode], encoding: str) -> None:
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "br": brotli.compress}[encoding]
    answer, records = modes["typed"].send(pack(_with(colour="red")), "/v1/log_event", **{"content-encoding": encoding})
    [row] = rows(records)

    assert answer.status_code == 202
    assert row["extra"] == '{"event":{"colour":"red"}}'


def test_all_of_it_is_in_the_lake(modes: dict[str, Mode]) -> None:
    before = time.time()
    for mode in modes.values():
        mode.send(_with(eventName="in the lake", metadata={"at": before}), "/v1/log_event")
        mode.service.flush()

    counted = [
        mode.service.rows("select event_name, user_id, time_ms, metadata from events where event_name = 'in the lake'")
        for mode in modes.values()
    ]
    assert [len(found) for found in counted] == [1, 1]
    assert counted[0][0][:3] == counted[1][0][:3]
