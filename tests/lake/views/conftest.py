from collections.abc import Iterator

import pytest

from tests.support import lake_sql


@pytest.fixture(autouse=True, scope="session")
def _closed_in_the_end() -> Iterator[None]:
    yield
    lake_sql.close()
