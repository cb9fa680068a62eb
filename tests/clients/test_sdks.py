"""Real SDKs from npm, the Go module proxy and Maven, unchanged but for URL and key."""

import json
import uuid
from typing import Any

import pytest

from tests.clients import sdks
from tests.clients.sdks import SDKS, Sdk
from tests.support.sdk_events import CUSTOM, METADATA_OF_TEXT_VALUE, PRIVATE, USER, VALUES
from tests.support.service import Service


@pytest.fixture(scope="module", params=SDKS, ids=lambda sdk: sdk.name)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    found: Sdk = request.param
    sdks.skip_without(found.missing)
    return found


@pytest.fixture(scope="module")
def rows(sdk: Sdk, service: Service) -> list[dict[str, Any]]:
    """All rows of one run of its driver."""
    key = f"{'secret' if sdk.key == 'server' else 'client'}-{uuid.uuid4()}"
    service.import_keys(key)
    sdks.run(sdk, service.rest, key)
    service.flush()
    return service.dicts(
        f"select * exclude (received_date, received_hour) from events where key_id = '{service.key_id(key)}'"
    )


def test_custom_events_arrive_with_each_field_in_its_column(sdk: Sdk, rows: list[dict[str, Any]]) -> None:
    by_name = {row["event_name"]: row for row in rows}

    for name, values in VALUES.items():
        row = by_name[name]
        assert {column: row[column] for column in USER} == USER
        assert json.loads(row["user_custom"]) == CUSTOM
        assert row["sdk_type"] == sdk.sdk_type
        assert row["client_time_ms"] is not None
        assert row["time_ms"] is not None
        assert (row["value_string"], row["value_number"]) == (_as_text(*values) if sdk.name == "go_legacy" else values)
    assert json.loads(by_name["text_value"]["metadata"]) == METADATA_OF_TEXT_VALUE


def test_exposures_name_what_was_exposed(rows: list[dict[str, Any]]) -> None:
    by_name = {row["event_name"]: row for row in rows}

    assert by_name["statsig::gate_exposure"]["event_kind"] == "gate_exposure"
    assert by_name["statsig::gate_exposure"]["exposure_name"] == "a_gate"
    assert by_name["statsig::gate_exposure"]["exposure_value"] is False
    assert by_name["statsig::config_exposure"]["exposure_name"] == "a_config"


def test_custom_events_that_were_acknowledged_are_not_sent_again(rows: list[dict[str, Any]]) -> None:
    assert sorted(row["event_name"] for row in rows if row["event_kind"] == "custom") == sorted(VALUES)


def test_private_attributes_are_nowhere(rows: list[dict[str, Any]]) -> None:
    assert PRIVATE not in json.dumps(rows, default=str)


def _as_text(value_string: str | None, value_number: float | None) -> tuple[str, float | None]:
    """Go sends every value as text, and "" where there is none."""
    return value_string or (f"{value_number:g}" if value_number is not None else ""), value_number
