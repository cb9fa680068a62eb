"""Fixtures for pytest.

In conftest.py:

    pytest_plugins = ["sluice.testing.plugin"]

It is not found by pytest itself: whoever has Sluice installed for something else pays nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.testing.server import server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from sluice.testing.server import RunningServer

__all__ = ["sluice_server", "sluice_session_server", "sluice_settings"]


@pytest.fixture(scope="session")
def sluice_settings() -> Mapping[str, str]:
    """Settings of the service; override this fixture to say some, as {"max-body": "1MiB"}."""
    return {}


@pytest.fixture(scope="session")
def sluice_session_server(sluice_settings: Mapping[str, str]) -> Iterator[RunningServer]:
    """One service for all tests of a run (with pytest-xdist: of a worker), started when the first asks for it."""
    with server(sluice_settings) as running:
        yield running


@pytest.fixture
def sluice_server(sluice_session_server: RunningServer) -> RunningServer:
    """That service, of which this test sees only what arrives from now on."""
    sluice_session_server.forget()
    return sluice_session_server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the service wrote beside a test of it that failed."""
    report = yield
    running = getattr(item, "funcargs", {}).get("sluice_session_server")
    if report.failed and running is not None:
        report.sections.append(("messages of sluice up", running.messages()))
    return report
