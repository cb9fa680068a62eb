"""What makes thousands of restarts fast: a folder in memory, no messages, and nothing decoded twice."""

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import structlog

from sluice.lake import written_tables
from sluice.lake.decode import Rows
from sluice.storage.v1.log_record_pb2 import LogRecord

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


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_decoded_twice() -> Iterator[None]:
    """Decoding knows no files and is half of a restart's time; nearly all states hold the same records."""
    known: dict[tuple[bytes, ...], Rows] = {}
    recipe = written_tables.OF_EVENTS

    def remembered(records: Sequence[LogRecord]) -> Rows:
        key = tuple(record.SerializeToString() for record in records)
        if key not in known:
            known[key] = recipe.decode(records)
        return known[key]

    with patch.object(written_tables, "OF_EVENTS", replace(recipe, decode=remembered)):
        yield
