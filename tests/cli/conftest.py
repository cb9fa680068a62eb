from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.command import InProcess


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the machine that the tests run on."""
    monkeypatch.delenv("SLUICE_DATA_DIR", raising=False)
    monkeypatch.delenv("SLUICE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """As a service leaves it that nobody has sent anything."""
    folder = tmp_path / "data"
    (folder / "lake" / "events").mkdir(parents=True)
    return folder


@pytest.fixture
def sluice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[InProcess]:
    yield InProcess(monkeypatch, capsys)
    # A command may have told messages to go to the standard error that was captured for it, and is closed now.
    structlog.reset_defaults()
