"""Write constraints.txt: the exact version of everything that pyproject.toml asks for, for all Pythons it allows.

A plain list of names and versions: uv.lock would record the addresses that packages came from.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from install import environment_for_uv, uv_command

_ROOT = Path(__file__).resolve().parent.parent
_HEAD = "# The exact versions that are installed and tested, for Python 3.11 to 3.13. `make lock` writes them anew.\n"
# What the installation itself runs.
_ALSO = "uv\nhatchling\neditables\n"


def main() -> int:
    """Ask uv for the versions and keep its answer."""
    command = [uv_command(), "pip", "compile", "pyproject.toml", "-", "--universal"]
    command += [part for group in ("dev", "bench", "fuzz") for part in ("--group", group)]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--no-emit-find-links", "--quiet"]
    done = subprocess.run(
        command, check=False, cwd=_ROOT, env=environment_for_uv(), input=_ALSO, stdout=subprocess.PIPE, text=True
    )
    if done.returncode == 0:
        pins = [line for line in done.stdout.splitlines() if "sys_platform == 'win32'" not in line]
        (_ROOT / "constraints.txt").write_text(_HEAD + "\n".join(pins) + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
