"""Real SDKs whose events meet a fault: each delivers all that its own retries can, and each event is there once."""

import pytest

from tests.clients import sdks
from tests.clients.faults import FAULTS, Fault, Refused
from tests.clients.scenarios import DURING, Scenario
from tests.clients.sdks import SDKS, Sdk
from tests.clients.verdicts import EXPECTED, verdict_of

pytestmark = pytest.mark.timeout(600)  # the first test of a fault waits for all SDKs

_IN_PAGES = [sdk for sdk in SDKS if sdk.command is None]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_what_can_be_delivered_is_delivered_and_what_is_dropped_has_a_known_reason(
    fault: type[Fault], sdk: Sdk, scenario: Scenario
) -> None:
    sdks.skip_without(sdk.missing)
    expected = EXPECTED[fault.name][sdk.name]

    outcome = scenario(fault).outcomes[sdk.name]

    assert outcome.copies == (), "events_distinct takes copies for events"
    assert verdict_of(outcome, DURING) is expected.verdict, (
        f"{len(outcome.lost)} of {len(outcome.told)} lost, {outcome.repeated} repeated; expected: {expected.because}"
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("sdk", _IN_PAGES, ids=lambda sdk: sdk.name)
def test_a_page_asks_no_host_but_the_service_and_its_own(fault: type[Fault], sdk: Sdk, scenario: Scenario) -> None:
    assert scenario(fault).foreign_origins[sdk.name] == set()


@pytest.mark.parametrize("sdk", _IN_PAGES, ids=lambda sdk: sdk.name)
def test_a_page_asks_leave_by_a_preflight(sdk: Sdk, scenario: Scenario) -> None:
    assert {"OPTIONS", "POST"} <= scenario(Fault).methods[sdk.name]


def test_js_client_sends_what_it_has_by_a_beacon_when_its_page_is_left(scenario: Scenario) -> None:
    # That these events arrive is told above; by a fetch that outlives its page statsig-js sends its own.
    assert scenario(Refused).beacons == {"js_client"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_an_sdk_that_is_shut_down_ends(fault: type[Fault], sdk: Sdk, scenario: Scenario) -> None:
    sdks.skip_without(sdk.missing)

    assert scenario(fault).ended[sdk.name]
