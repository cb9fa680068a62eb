"""What the clients are tried against: a service, pages on another origin, a browser, and what each fault came to."""

from collections.abc import Iterator

import pytest

from tests.clients import scenarios, table, tools
from tests.clients.faults import Fault
from tests.clients.pages import Pages, served_pages
from tests.clients.scenarios import DURING, Ran, Scenario
from tests.clients.sdks import SDKS
from tests.clients.talk import Talker
from tests.clients.verdicts import EXPECTED, verdict_of
from tests.support.service import Service

_RAN: pytest.StashKey[dict[str, Ran]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    if not tools.PREPARED.exists():
        pytest.exit("build/clients is not prepared: run make test-clients", returncode=2)
    config.stash[_RAN] = {}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests that have no fault: leave it running."""
    with Service(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def pages() -> Iterator[Pages]:
    """What the browser is shown."""
    with served_pages() as pages:
        yield pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Talker]:
    """Chromium, as node/browser.mjs describes it."""
    with Talker(["node", "browser.mjs", tools.chromium() or "chromium"], tools.NODE) as talker:
        yield talker


@pytest.fixture(scope="session")
def scenario(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Talker, pages: Pages
) -> Scenario:
    """Runs a scenario when it is first asked for."""
    ran = request.config.stash[_RAN]

    broken: dict[str, Exception] = {}

    def run_once(fault: type[Fault]) -> Ran:
        if fault.name in broken:
            pytest.fail(f"the scenario of {fault.name} was broken off: {broken[fault.name]}")
        if fault.name not in ran:
            try:
                ran[fault.name] = scenarios.run(fault, tmp_path_factory.mktemp("scenario"), browser, pages)
            except Exception as error:
                broken[fault.name] = error
                raise
        return ran[fault.name]

    return run_once


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Print the table, and write it into docs/sdks.md when it is whole and as expected."""
    ran = config.stash[_RAN]
    if not ran:
        return
    terminalreporter.section("events delivered, repeated, dropped")
    terminalreporter.write(table.counted({name: one.outcomes for name, one in ran.items()}))
    verdicts = {(name, sdk): verdict_of(it, DURING) for name, one in ran.items() for sdk, it in one.outcomes.items()}
    if not verdicts.keys() >= {(fault, sdk.name) for fault in EXPECTED for sdk in SDKS}:
        terminalreporter.write_line(f"{table.DOCUMENT} is left as it is: not every SDK met every fault")
    elif exitstatus != pytest.ExitCode.OK:
        terminalreporter.write_line(f"{table.DOCUMENT} is left as it is: tests failed")
    else:
        table.write(table.rendered(verdicts))
        terminalreporter.write_line(f"{table.DOCUMENT} has the table")
