"""Compiles the decoder into numba's cache, if it isn't there, and ends; at once when its standard input ends.

python -m sluice.lake.native.compile
"""

from __future__ import annotations

import os
import shutil  # noqa: TID251  numba's cache is none of the data
import sys
import threading
from typing import TYPE_CHECKING

from sluice.lake.niceness import be_nice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["main", "make_with_cache"]

# Nobody waits for it; but it should come to an end also where all processors are busy.
_NICENESS = 10


def _end_with_standard_input() -> None:
    # Not by sys.stdin, whose lock an interpreter that ends would wait for.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main() -> int:
    """Run the process; return its exit code."""
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    be_nice(_NICENESS)
    from sluice.lake.native.compiled import FOLDER  # noqa: PLC0415  numba takes 0.4 s

    make_with_cache(FOLDER, _compile)
    return 0


def make_with_cache(folder: Path, make: Callable[[], None]) -> None:
    """Let something be made that reads and fills a cache; where that fails, once more with an empty one."""
    try:
        make()
    except Exception:  # noqa: BLE001  whatever a broken file lets the one who reads it raise
        # What a power cut has left of it, perhaps.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        make()


def _compile() -> None:
    import sluice.lake.native.scanned  # noqa: F401, PLC0415  to import it is to compile it


if __name__ == "__main__":
    sys.exit(main())
