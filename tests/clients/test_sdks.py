"""Real SDKs, unchanged but for URL and key: what each was told to log is in the lake, field by field."""

import json
import re
from typing import Any

import pytest

from tests.clients import sdks, tools
from tests.clients.faults import Fault
from tests.clients.scenarios import AFTER, DURING, Ran, Scenario
from tests.clients.sdks import SDKS, Sdk
from tests.support.sdk_events import PRIVATE, identity, parsed, told

pytestmark = pytest.mark.timeout(600)  # the first test waits for all SDKs

_DOCUMENT = tools.ROOT / "docs/sdks.md"


@pytest.fixture(params=SDKS, ids=lambda sdk: sdk.name)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    found: Sdk = request.param
    sdks.skip_without(found.missing)
    return found


@pytest.fixture
def ran(scenario: Scenario) -> Ran:
    """All was answered 202."""
    return scenario(Fault)


@pytest.fixture
def rows(sdk: Sdk, ran: Ran) -> list[dict[str, Any]]:
    """All its rows."""
    return [parsed(row) for row in ran.outcomes[sdk.name].rows]


def test_each_event_arrives_once_with_each_field_in_its_column(sdk: Sdk, rows: list[dict[str, Any]]) -> None:
    events = told(DURING, sdk.can) | told(AFTER, sdk.can)

    found = [row for row in rows if identity(row) in events]

    assert sorted(map(identity, found)) == sorted(events)
    for row in found:
        wanted = events[identity(row)]
        assert {column: row[column] for column in wanted} == wanted
        # Only what has a gate among its conditions has some.
        assert not row["secondary_exposures"]


def test_each_event_says_which_sdk_it_is_from_and_when_it_was(sdk: Sdk, ran: Ran, rows: list[dict[str, Any]]) -> None:
    documented = re.findall(r"\| ([0-9.]+) \| `([^`]+)` \|", _DOCUMENT.read_text())
    [version] = [version for version, sdk_type in documented if sdk_type == sdk.sdk_type]
    events = told(DURING, sdk.can) | told(AFTER, sdk.can)

    for row in (row for row in rows if identity(row) in events):
        assert (row["sdk_type"], row["sdk_version"].lstrip("v")) == (sdk.sdk_type, version)
        assert row["sdk_metadata"]["sdkType"] == sdk.sdk_type
        assert row["session_id"]
        assert ran.began_s * 1000 <= row["time_ms"] <= row["client_time_ms"] <= ran.ended_s * 1000
        assert row["event_time"] <= row["received_at"]


def test_exposures_have_in_their_metadata_what_their_columns_say(rows: list[dict[str, Any]]) -> None:
    exposures = [row for row in rows if row["event_kind"].endswith("_exposure")]

    assert len(exposures) == 6  # a gate, a config and a layer in each of two rounds
    for row in exposures:
        assert row["metadata"]["gate" if row["event_kind"] == "gate_exposure" else "config"] == row["exposure_name"]
        assert (row["metadata"]["ruleID"], row["metadata"]["reason"]) == (row["rule_id"], row["exposure_reason"])


def test_what_an_sdk_says_of_its_own_start_arrives(sdk: Sdk, rows: list[dict[str, Any]]) -> None:
    contexts = {row["metadata"].get("context") for row in rows if row["event_kind"] == "diagnostics"}

    assert ("initialize" in contexts) is sdk.can.diagnostics


def test_private_attributes_are_nowhere(rows: list[dict[str, Any]]) -> None:
    assert PRIVATE not in json.dumps(rows, default=str)
