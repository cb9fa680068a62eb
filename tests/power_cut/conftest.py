"""A fast folder for the states, and no messages about each of them."""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

_IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: some thousand states are written, and none has to outlive the test."""
    in_memory = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    with tempfile.TemporaryDirectory(prefix="sluice-power-cut-", dir=_IN_MEMORY if in_memory else None) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True, scope="module")
def _no_messages() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
