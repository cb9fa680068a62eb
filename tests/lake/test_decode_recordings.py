"""What real SDKs sent, field by field."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.lake_log import record
from tests.support.lake_rows import expected_fields, parsed, rows

_FOLDER = Path(__file__).parents[1] / "fixtures/sdk"
# Members beyond the columns that these SDKs are known to send; all others must have a column.
_EXTRA_OF_EVENT = {"statsigMetadata"}
_EXTRA_OF_USER = {"analyticsOnlyMetadata"}


def _posts() -> list[Any]:
    posts = []
    for file in sorted(_FOLDER.glob("*.jsonl")):
        for number, line in enumerate(file.read_text().splitlines()):
            fact = json.loads(line)
            url = urlsplit(fact["line"].split()[1])
            if url.path in {"/v1/log_event", "/v1/rgstr"}:
                posts.append(pytest.param(fact, parse_qs(url.query), id=f"{file.stem}:{number}"))
    return posts


def test_there_are_recordings() -> None:
    assert len(_posts()) >= 4


@pytest.mark.parametrize(("fact", "query"), _posts())
def test_each_event_of_a_recorded_post_is_a_row_with_each_field_in_its_column(
    fact: dict[str, Any], query: dict[str, list[str]]
) -> None:
    headers = {name.lower(): value for name, value in fact["headers"]}
    client_time = int(headers["statsig-client-time"] if "statsig-client-time" in headers else query["t"][0])
    sent = record(
        fact["body"].encode(),
        received_at_us=(client_time + 7) * 1000,
        client_time_ms=client_time,
        sdk_type=headers.get("statsig-sdk-type", ""),
        session_id=headers.get("statsig-server-session-id", ""),
    )
    request = json.loads(fact["body"])

    found = [parsed(row) for row in rows([sent])]

    assert [row["event_index"] for row in found] == list(range(len(request["events"])))
    for row, event in zip(found, request["events"], strict=True):
        expected = expected_fields(event, request, sent)
        assert {name: row[name] for name in expected} == expected
        assert (row["key_id"], row["project"], row["source"]) == ("key_1", "default", "sdk")
        assert row["client_time_ms"] == client_time
        lag_ms = client_time - event["time"]
        assert (row["received_at"] - row["event_time"]).total_seconds() * 1000 == pytest.approx(lag_ms)
        assert row["extra"] == _extra(event)


@pytest.mark.parametrize(("fact", "query"), _posts())
def test_free_form_json_keeps_its_exact_text(fact: dict[str, Any], query: dict[str, list[str]]) -> None:
    del query
    for row in rows([record(fact["body"].encode())]):
        for column in ("metadata", "user_custom", "secondary_exposures", "sdk_metadata"):
            assert row[column] is None or row[column] in fact["body"]


def _extra(event: dict[str, Any]) -> dict[str, Any] | None:
    levels = {
        "event": {name: event.get(name) for name in _EXTRA_OF_EVENT if event.get(name) is not None},
        "user": {
            name: (event.get("user") or {}).get(name)
            for name in _EXTRA_OF_USER
            if (event.get("user") or {}).get(name) is not None
        },
    }
    return {level: members for level, members in levels.items() if members} or None
