"""Fuzz the readers of what strangers send and disks give back, each for a while, in turn.

    make fuzz ARGS="--seconds 600 --only json,segment"

What was found is kept in build/fuzz/, and an input that breaks a promise is named at the end, exit code 1. Put it below
tests/fixtures/fuzz/ by its target's name, where `make test` goes through it, and mend what it shows.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = _ROOT / "build" / "fuzz"
# What is compiled otherwise can't be followed; and it checks no place, as Python does, and no overflow.
_IN_PYTHON = {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error::RuntimeWarning"}
_PROGRESS = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+).*exec/s: (\d+)")


def _fuzz(name: str, seconds: int) -> list[Path]:
    """Run one target, and show how it goes; return what broke a promise."""
    folder = _FOLDER / name
    before = set(_findings(folder))
    command = [sys.executable, "-m", "tests.fuzz.run", name, str(folder), str(seconds)]
    told: list[str] = []
    latest = ("0", "0", "0")
    process = subprocess.Popen(
        command, cwd=_ROOT, env=os.environ | _IN_PYTHON, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := _PROGRESS.match(line):
            latest = found.groups()
            if sys.stdout.isatty():
                print(f"\r{_line(name, latest)}", end="", flush=True)
        else:
            told = [*told[-200:], line]
    code = process.wait()
    print(
        f"{chr(13) if sys.stdout.isatty() else ''}{_line(name, latest)}{'' if code == 0 else '   BROKEN'}", flush=True
    )
    if code:
        print("".join(told))
    findings = sorted(set(_findings(folder)) - before)
    if code and not findings:
        raise SystemExit(f"error: {name} ended with {code}, and no input is to blame")
    return findings


def _line(name: str, progress: tuple[str, ...]) -> str:
    inputs, branches, rate = progress
    return f"{name:18} {int(inputs):>10,} inputs  {branches:>6} branches reached  {rate:>6} inputs/s"


def _findings(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if re.match(r"crash|slow-unit|timeout|oom|leak", path.name)]


def main() -> int:
    """Go through the targets; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--only", default=",".join(TARGETS), help="targets, with commas between them")
    options = parser.parse_args()
    findings: list[Path] = []
    for name in options.only.split(","):
        if name not in TARGETS:
            parser.error(f"there is no target {name}; there are {', '.join(TARGETS)}")
        findings += _fuzz(name, options.seconds)
    for path in findings:
        print(f"a promise is broken by {path.relative_to(_ROOT)}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
