from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile
from tests.support.ingest_server import IngestServer


@pytest.fixture
def server_key(tmp_path: Path) -> str:
    return KeyFile(tmp_path / "keys.json").create(kind=Kind.SERVER)[1]


@pytest.fixture
def client_key(tmp_path: Path) -> str:
    return KeyFile(tmp_path / "keys.json").create(kind=Kind.CLIENT)[1]


@pytest.fixture
def server(tmp_path: Path, server_key: str, client_key: str) -> Iterator[IngestServer]:
    assert server_key != client_key
    opened = IngestServer(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def channel(server: IngestServer) -> Iterator[grpc.Channel]:
    with server.channel(as_envoy=True) as opened:
        yield opened
