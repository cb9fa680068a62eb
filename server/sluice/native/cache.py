"""Where what is compiled is kept. Known without numba, which takes 0.4 s and 40 MB to load.

It is known by all sources that it is made of, and the versions that made it: numba itself looks only at the file of the
function that is called, and would go on with what was compiled from others before an upgrade.
"""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

__all__ = ["folder"]

_PACKAGE = Path(__file__).parents[1]
# This room, and whatever of others is compiled in.
_SOURCES = ("native/*.py", "lake/native/*.py", "lake/exposures.py", "lake/schema.py", "contract.py")


def folder() -> Path:
    """The folder of numba's cache: below where NUMBA_CACHE_DIR says, else beside the code, else in the user's cache.

    Raises:
        PackageNotFoundError: numba is not installed.
    """
    sources = [path.read_bytes() for pattern in _SOURCES for path in sorted(_PACKAGE.glob(pattern))]
    versions = f"numba {version('numba')}, numpy {version('numpy')}".encode()
    name = f"compiled-{hashlib.sha256(b''.join([*sources, versions])).hexdigest()[:16]}"
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"], name)
    beside = Path(__file__).parent
    if os.access(beside, os.W_OK):
        return beside / "__pycache__" / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sluice", name)
