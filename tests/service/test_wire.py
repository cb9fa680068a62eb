"""What SDKs and webhooks send beyond the contract, from the door to the lake."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from sluice.log.reader import records_in
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.service import Service

_EVENT = {"user": {"userID": "u1"}, "eventName": "e", "time": 1767225600000}
_ABOUT = {"sdkType": "in-body", "sdkVersion": "9", "sessionID": "s9"}


def _post(service: Service, path: str, body: Any, **headers: str) -> httpx.Response:
    sent = {"statsig-api-key": service.server_key} | headers
    return httpx.post(f"{service.rest}{path}", content=json.dumps(body), headers=sent, timeout=20)


def _rows(service: Service, answer: httpx.Response) -> list[dict[str, Any]]:
    service.flush()
    request_id = answer.headers["x-request-id"]
    return service.dicts(f"select * from events where request_id = '{request_id}' order by event_index")


def test_a_legacy_beacon_of_a_page_needs_neither_header_nor_query_for_its_clock(service: Service) -> None:
    body = {"events": [_EVENT], "statsigMetadata": {"sdkType": "js-client"}, "clientTime": "1767225601000"}

    answer = httpx.post(
        f"{service.rest}/v1/rgstr_b?k={service.client_key}",
        content=json.dumps(body),
        headers={"content-type": "text/plain;charset=UTF-8", "origin": "https://shop.example"},
        timeout=20,
    )

    assert (answer.status_code, answer.json()) == (202, {"success": True})
    [row] = _rows(service, answer)
    assert (row["client_time_ms"], row["sdk_type"], row["source"]) == (1767225601000, "js-client", "sdk")
    assert row["extra"] is None
    assert (row["received_at"] - row["event_time"]).total_seconds() == 1


_DOORS = [
    ("/v1/log_event", {"events": [_EVENT]}),
    ("/v1/rgstr", {"events": [_EVENT]}),
    ("/v1/rgstr_b", {"events": [_EVENT]}),
    ("/v1/webhooks/event_webhook", {"events": [_EVENT]}),
    ("/v1/webhooks/event_webhook", {"event": "e", "user": {}}),
    ("/v1/log_custom_exposure", {"exposures": [{"experimentName": "e", "ruleID": "r", "user": {}}]}),
]
_OUTSIDE = [
    ("?st=out&sv=1&sid=s1&t=1767225600000", {}),
    (
        "",
        {
            "statsig-sdk-type": "out",
            "statsig-sdk-version": "1",
            "statsig-server-session-id": "s1",
            "statsig-client-time": "1",
        },
    ),
]


def test_what_sent_it_is_known_by_the_body_else_by_header_or_query(service: Service) -> None:
    expected = {}
    for path, body in _DOORS:
        for query, headers in _OUTSIDE:
            for about, known_by in (({}, ("out", "1", "s1")), ({"statsigMetadata": _ABOUT}, ("in-body", "9", "s9"))):
                answer = _post(service, f"{path}{query}", body | about, **headers)
                assert answer.status_code == 202, (path, query)
                expected[answer.headers["x-request-id"]] = known_by
    service.flush()

    found = service.rows("select request_id, sdk_type, sdk_version, session_id from events")
    assert {id_: about for id_, *about in found if id_ in expected} == {id_: [*of] for id_, of in expected.items()}


def test_what_sent_a_grpc_call_is_known_by_the_message_else_by_metadata(service: Service) -> None:
    metadata = [
        ("statsig-api-key", service.server_key),
        ("statsig-sdk-type", "out"),
        ("statsig-sdk-version", "1"),
        ("statsig-server-session-id", "s1"),
    ]
    event = pb.Event(event_name="by grpc", time=1)
    shared = pb.User(user_id="shared")
    with grpc.insecure_channel(service.grpc) as channel:
        stub = services.EventsServiceStub(channel)
        stub.LogEvent(pb.LogEventRequest(events=[event], user=shared, client_time=7), metadata=metadata, timeout=20)
        stub.ReceiveWebhookEvent(
            pb.ReceiveWebhookEventRequest(events=[event], user=shared), metadata=metadata, timeout=20
        )
    service.flush()

    found = service.rows(
        "select sdk_type, sdk_version, session_id, user_id, client_time_ms from events where event_name = 'by grpc' "
        "order by client_time_ms nulls last"
    )
    assert found == [("out", "1", "s1", "shared", 7), ("out", "1", "s1", "shared", None)]


@pytest.mark.parametrize("path", ["/v1/log_event", "/v1/webhooks/event_webhook"])
def test_a_user_for_all_events_stands_on_their_rows_without_its_private_attributes(
    service: Service, path: str, records_of: Callable[[httpx.Response], list[storage.LogRecord]]
) -> None:
    user = {"userID": "all", "email": "a@b.c", "privateAttributes": {"a": "s3cret"}, "unknown": 1}
    events = [{"eventName": "a", "time": 1}, {"eventName": "b", "time": 1, "user": {"userID": "own"}}]

    answer = _post(service, path, {"user": user, "events": events}, **{"statsig-client-time": "1767225600000"})

    assert answer.status_code == 202
    [record] = records_of(answer)
    assert b"s3cret" not in record.body
    first, second = _rows(service, answer)
    assert (first["user_id"], first["user_email"], first["extra"]) == ("all", "a@b.c", '{"user":{"unknown":1}}')
    assert (second["user_id"], second["user_email"], second["extra"]) == ("own", None, None)


def test_one_event_of_a_webhook_is_kept_as_it_came_and_becomes_a_row(
    service: Service, records_of: Callable[[httpx.Response], list[storage.LogRecord]]
) -> None:
    body = {"user": {"userID": "u1"}, "event": "paid", "value": 9.5, "metadata": {"a": 1}, "timestamp": 1767225600000}

    answer = _post(service, "/v1/webhooks/event_webhook", body)

    assert (answer.status_code, answer.json()) == (202, {"success": True})
    [record] = records_of(answer)
    assert (record.body, record.event_count) == (json.dumps(body).encode(), 1)
    assert record.body_format == storage.BODY_FORMAT_WEBHOOK_EVENT
    [row] = _rows(service, answer)
    assert (row["event_name"], row["user_id"], row["value_number"]) == ("paid", "u1", 9.5)
    assert (row["event_index"], row["source"], row["time_ms"]) == (0, "webhook", 1767225600000)


@pytest.mark.parametrize(("body", "found"), [({"event": "e", "events": []}, "both"), ({"user": {}}, "neither")])
def test_a_webhook_with_both_forms_or_none_is_refused(service: Service, body: dict[str, Any], found: str) -> None:
    answer = _post(service, "/v1/webhooks/event_webhook", body)

    assert answer.status_code == 400
    said = f"events: expected array, or in its place event, the name of one, got {found}; "
    assert answer.json()["message"].startswith(said)
    assert answer.json()["errors"][0]["found"] == found


def test_exposures_that_an_application_logs_are_counted_as_exposures(service: Service) -> None:
    exposures = [
        {"user": {"userID": "w1"}, "experimentName": "wire_experiment", "group": "Test"},
        {"user": {"userID": "w2"}, "experimentName": "wire_experiment", "group": "Control", "ruleID": "rule_c"},
        {"user": {"userID": "w1"}, "gateName": "wire_gate", "group": "Everyone", "passes": True},
        {"user": {"userID": "w2"}, "gateName": "wire_gate", "ruleID": "r", "passes": False, "time": 1767225600000},
    ]

    answer = _post(service, "/v1/log_custom_exposure", {"exposures": exposures}, **{"statsig-sdk-type": "http"})

    assert (answer.status_code, answer.json()) == (202, {"success": True})
    service.flush()
    assert service.rows(
        "select experiment_kind, experiment, unit_id, assignment, group_name from exposures "
        "where experiment like 'wire_%' order by all"
    ) == [
        ("experiment", "wire_experiment", "w1", "group", "Test"),
        ("experiment", "wire_experiment", "w2", "group", "rule_c"),
        ("gate", "wire_gate", "w1", "group", "pass"),
        ("gate", "wire_gate", "w2", "group", "fail"),
    ]


def test_an_exposure_that_says_too_little_is_refused_by_its_path(service: Service) -> None:
    good = {"user": {}, "experimentName": "e", "group": "g"}

    answer = _post(service, "/v1/log_custom_exposure", {"exposures": [good, {"user": {}, "gateName": "g"}]})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(
        "exposures[1].passes: missing, expected boolean; exposures[1]: expected group or ruleID"
    )


def test_a_page_may_log_exposures_by_its_client_key(service: Service) -> None:
    body = {"exposures": [{"user": {}, "experimentName": "e", "group": "g"}]}

    answer = _post(service, f"/v1/log_custom_exposure?k={service.client_key}", body, **{"statsig-api-key": ""})

    assert answer.status_code == 202


def test_a_request_that_lost_events_shows_in_the_metrics(service: Service) -> None:
    def counted() -> int:
        metrics = httpx.get(f"http://{service.admin}/metrics", timeout=5).text
        found = re.search(r'sluice_event_count_differences_total\{arrived="fewer"\} ([0-9.]+)', metrics)
        assert found, metrics
        return int(float(found[1]))

    before = counted()
    headers = {"statsig-client-time": "1767225600000"}
    assert _post(service, "/v1/log_event?ec=1", {"events": [_EVENT]}, **headers).status_code == 202
    assert _post(service, "/v1/log_event?ec=3", {"events": [_EVENT]}, **headers).status_code == 202

    assert counted() == before + 1


@pytest.fixture
def records_of(service: Service) -> Callable[[httpx.Response], list[storage.LogRecord]]:
    """The records of a request, as long as it is in no sealed segment that the lake has taken."""

    def find(answer: httpx.Response) -> list[storage.LogRecord]:
        request_id = bytes.fromhex(answer.headers["x-request-id"].replace("-", ""))
        found = []
        for folder in ("open", "sealed"):
            for path in Path(service.data_dir / "log" / folder).iterdir():
                content = path.read_bytes()
                found += [record for _, record in records_in(content, sealed=None) if _is(record, request_id)]
        return found

    return find


def _is(record: object, request_id: bytes) -> bool:
    return isinstance(record, storage.LogRecord) and record.request_id == request_id
