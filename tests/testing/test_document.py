"""docs/testing.md's tests, run by pytest in a folder of their own, as a reader would."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import blocks_of

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """conftest.py, test_shop.py and settings as the document has them."""
    plugins, tests, settings, _ = (block.text for block in blocks_of(_ROOT / "docs" / "testing.md", {"python"}))
    (tmp_path / "conftest.py").write_text(f"{plugins}\n\n{settings}\n")
    (tmp_path / "test_shop.py").write_text(f"{tests}\n")
    return tmp_path


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def test_the_document_s_tests_pass(project: Path) -> None:
    done = _pytest(project, "-W", "error")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_test_that_fails_shows_the_service_s_messages_beside_it(project: Path) -> None:
    (project / "test_shop.py").write_text("def test_fails(sluice_server):\n    assert not sluice_server.url\n")

    done = _pytest(project)

    assert done.returncode == 1
    assert "messages of sluice up" in done.stdout
    assert "worker-0" in done.stdout


def test_pytest_loads_nothing_of_it_unless_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("import sys\n\ndef test_own(): assert 'sluice.testing' not in sys.modules\n")

    assert _pytest(tmp_path).returncode == 0
