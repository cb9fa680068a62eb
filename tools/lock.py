"""Write constraints.txt: the exact version of everything that pyproject.toml asks for, for all Pythons it allows.

A plain list of names and versions: uv.lock would record the addresses that packages came from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from install import pip_settings, uv_environment

_ROOT = Path(__file__).resolve().parent.parent
_HEAD = "# The exact versions that are installed and tested, for Python 3.11 to 3.13. `make lock` writes them anew.\n"
# What the installation itself runs.
_ALSO = "uv\nhatchling\neditables\n"


def main() -> int:
    """Ask uv for the versions and keep its answer."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    command = [str(uv), "pip", "compile", "pyproject.toml", "-", "--group", "dev", "--universal"]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--no-emit-find-links", "--quiet"]
    environment = {**os.environ, **uv_environment(pip_settings(listing.stdout), dict(os.environ))}
    done = subprocess.run(
        command, check=False, cwd=_ROOT, env=environment, input=_ALSO, stdout=subprocess.PIPE, text=True
    )
    if done.returncode == 0:
        pins = [line for line in done.stdout.splitlines() if "sys_platform == 'win32'" not in line]
        (_ROOT / "constraints.txt").write_text(_HEAD + "\n".join(pins) + "\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
