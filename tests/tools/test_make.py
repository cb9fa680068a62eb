"""The Makefile, as one who has just cloned the project meets it."""

import os
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def _make(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PATH": path} if path else {})}
    environment.pop("MAKEFLAGS", None)
    return subprocess.run(
        ["/usr/bin/make", "-C", str(_ROOT), *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def python_that(tmp_path: Path) -> Path:
    """A stand-in for python3 whose answers a test chooses."""
    script = tmp_path / "python3"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    return script


def test_help_lists_every_target_that_a_user_calls() -> None:
    shown = _make("help").stdout

    for target in ("up", "test", "lint", "types", "format", "gen", "clean"):
        assert f"make {target} " in shown


def test_a_python_that_is_too_old_is_named_with_the_line_that_installs_one(python_that: Path) -> None:
    python_that.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    done = _make("check-python", f"PYTHON={python_that}")

    assert done.returncode == 2
    assert "Python 3.9.2" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_without_venv_is_named_with_the_line_that_installs_it(python_that: Path) -> None:
    python_that.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    done = _make("check-python", f"PYTHON={python_that}")

    assert done.returncode == 2
    assert "apt-get install python3-venv" in done.stderr


def test_no_python_at_all_is_named_too(tmp_path: Path) -> None:
    done = _make("check-python", f"PYTHON={tmp_path / 'none'}")

    assert done.returncode == 2
    assert "apt-get install python3 python3-venv" in done.stderr
