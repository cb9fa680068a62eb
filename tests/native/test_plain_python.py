"""What is compiled finds the same as plain Python, which reads and writes nothing behind an array's end."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "name", [*(f"lake/native/test_scanned_{kind}.py" for kind in ("json", "messages")), "ingest/test_checked_bodies.py"]
)
def test_in_plain_python_which_checks_each_place_it_finds_the_same(name: str) -> None:
    tests = Path(__file__).parents[1] / name

    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-k",
            "known or whole or exposures or names or number or takes or left or part or large or others",
            tests,
        ],
        env={"NUMBA_DISABLE_JIT": "1", "PATH": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert checked.returncode == 0, checked.stdout
    assert " passed" in checked.stdout
