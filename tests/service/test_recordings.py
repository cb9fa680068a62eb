"""Recorded requests of real SDKs, sent again: event posts arrive row by row, other paths are 404."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import Service

_FOLDER = Path(__file__).parents[1] / "fixtures/sdk"
_EVENT_PATHS = ("/v1/log_event", "/v1/rgstr")
# What the connection sets by itself.
_NOT_SENT_AGAIN = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}


@dataclass(frozen=True)
class Recording:
    """One request of a real SDK."""

    name: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    gzipped: bool

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def _recordings() -> list[Recording]:
    found = []
    for file in sorted(_FOLDER.glob("*.jsonl")):
        for number, line in enumerate(file.read_text().splitlines()):
            fact: dict[str, Any] = json.loads(line)
            method, target, _ = fact["line"].split()
            found.append(
                Recording(
                    name=f"{file.stem}:{number}:{target.partition('?')[0]}",
                    method=method,
                    target=target,
                    headers={name: value for name, value in fact["headers"] if name.lower() not in _NOT_SENT_AGAIN},
                    body=fact["body"].encode(),
                    gzipped="gzip" in fact["enc"],
                )
            )
    return found


_RECORDINGS = _recordings()
_POSTS = [recording for recording in _RECORDINGS if recording.path in _EVENT_PATHS]
_OTHERS = [recording for recording in _RECORDINGS if recording.path not in _EVENT_PATHS]


def _replay(service: Service, recording: Recording) -> httpx.Response:
    service.import_keys("secret-test", "client-test")
    content = gzip.compress(recording.body) if recording.gzipped else recording.body
    request = httpx.Request(
        recording.method, f"{service.rest}{recording.target}", headers=recording.headers, content=content
    )
    if "content-type" not in {name.lower() for name in recording.headers}:
        request.headers.pop("content-type", None)
    with httpx.Client(timeout=20) as client:
        return client.send(request)


def test_there_are_recordings_of_both_kinds() -> None:
    assert len(_POSTS) >= 4
    assert len(_OTHERS) >= 4


@pytest.mark.parametrize("recording", _OTHERS, ids=lambda recording: recording.name)
def test_a_path_that_takes_no_events_is_404(service: Service, recording: Recording) -> None:
    answer = _replay(service, recording)

    assert answer.status_code == 404
    assert answer.json()["status"] == 404


@pytest.mark.parametrize("recording", _POSTS, ids=lambda recording: recording.name)
def test_a_recorded_event_post_is_accepted_and_each_event_is_a_row(service: Service, recording: Recording) -> None:
    sent = json.loads(recording.body)
    answer = _replay(service, recording)

    assert (answer.status_code, answer.json()) == (202, {"success": True})
    service.flush()
    rows = service.dicts(
        f"select * from events where request_id = '{answer.headers['x-request-id']}' order by event_index"
    )
    assert [row["event_name"] for row in rows] == [event["eventName"] for event in sent["events"]]
    for row, event in zip(rows, sent["events"], strict=True):
        _compare(row, event, sent)


@pytest.mark.parametrize("recording", _POSTS, ids=lambda recording: recording.name)
def test_a_recorded_event_post_that_comes_twice_counts_once(service: Service, recording: Recording) -> None:
    ids = [_replay(service, recording).headers["x-request-id"] for _ in range(2)]
    service.flush()

    [first, again] = [
        service.dicts(f"select count(*) as rows from events where request_id = '{each}'")[0]["rows"] for each in ids
    ]
    [added] = service.dicts(f"select count(*) as rows from events_distinct where request_id = '{ids[1]}'")

    assert first == again == len(json.loads(recording.body)["events"])
    assert added["rows"] == 0


def _compare(row: dict[str, Any], event: dict[str, Any], request: dict[str, Any]) -> None:
    user = event.get("user") or {}
    metadata = event.get("metadata")
    about = request.get("statsigMetadata") or {}
    assert row["time_ms"] == event["time"]
    assert row["user_id"] == user.get("userID")
    assert row["user_email"] == user.get("email")
    assert row["user_ip"] == user.get("ip")
    assert row["user_agent"] == user.get("userAgent")
    assert row["user_country"] == user.get("country")
    assert row["user_locale"] == user.get("locale")
    assert row["user_app_version"] == user.get("appVersion")
    assert row["environment"] == (user.get("statsigEnvironment") or {}).get("tier")
    assert _parsed(row["user_custom"]) == user.get("custom")
    assert (row["user_custom_ids"] or {}) == (user.get("customIDs") or {})
    assert _parsed(row["metadata"]) == metadata
    assert _parsed(row["secondary_exposures"]) == event.get("secondaryExposures")
    value = event.get("value")
    if isinstance(value, str):
        assert row["value_string"] == value
    else:
        assert (row["value_number"], row["value_string"]) == (value, None)
    assert row["sdk_type"] == about["sdkType"]
    assert row["sdk_version"] == about["sdkVersion"]
    assert row["session_id"] == about.get("sessionID", row["session_id"])
    assert _parsed(row["sdk_metadata"]) == about
    assert row["source"] == "sdk"
    if event["eventName"] in {"statsig::gate_exposure", "statsig::config_exposure", "statsig::layer_exposure"}:
        assert row["event_kind"] == event["eventName"].removeprefix("statsig::")
        assert row["exposure_name"] == metadata.get("gate", metadata.get("config"))
        assert row["rule_id"] == metadata["ruleID"]
        assert row["exposure_reason"] == metadata.get("reason")
        assert row["parameter_name"] == metadata.get("parameterName")
        assert row["allocated_experiment"] == metadata.get("allocatedExperiment")
    else:
        assert row["exposure_name"] is None


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
