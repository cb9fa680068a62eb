"""A running service for tests: one that the tests of a module share, or one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of a module: leave it running, and as it was."""
    with Service(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture
def fresh_service(tmp_path: Path) -> Iterator[Service]:
    """A service of this test's own, with nothing in it yet."""
    with Service(tmp_path / "data") as running:
        yield running
