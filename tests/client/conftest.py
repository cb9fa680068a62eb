"""A server that answers as a test says; tests that are coroutines run in a loop of their own."""

from collections.abc import Iterator

import pytest

from tests.log.conftest import pytest_pyfunc_call  # noqa: F401  the hook
from tests.service.conftest import service  # noqa: F401  the fixture
from tests.support.fronts import FRONTS, MakeFront
from tests.support.stub_server import StubServer, stub_server


@pytest.fixture
def server() -> Iterator[StubServer]:
    with stub_server() as running:
        yield running


@pytest.fixture(params=sorted(FRONTS))
def make(request: pytest.FixtureRequest) -> MakeFront:
    """Makes a client: for threads, and for asyncio."""
    return FRONTS[request.param]
