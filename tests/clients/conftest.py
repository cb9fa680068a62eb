"""What the clients are tried against: one service for all, pages on another origin, and a browser."""

from collections.abc import Iterator

import pytest

from tests.clients import tools
from tests.clients.pages import Pages, served_pages
from tests.clients.talk import Talker
from tests.support.service import Service


def pytest_configure() -> None:
    if not tools.PREPARED.exists():
        pytest.exit("build/clients is not prepared: run make test-clients", returncode=2)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests: leave it running."""
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
