from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.edge import Edge, running_edge

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _edge() -> Iterator[Edge]:
    # Not pytest's own folders: their names are too long for Unix sockets.
    with tempfile.TemporaryDirectory(prefix="edge-") as folder, running_edge(Path(folder), reflection=True) as edge:
        yield edge


@pytest.fixture
def edge(_edge: Edge) -> Edge:
    """One Envoy for all tests that only send requests; its workers acknowledge."""
    _edge.forget()
    return _edge


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        yield Path(folder)
