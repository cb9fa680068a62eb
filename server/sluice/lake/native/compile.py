"""Compiles the decoder into numba's cache, if it isn't there, and ends; at once when its standard input ends.

python -m sluice.lake.native.compile
"""

from __future__ import annotations

import os
import sys
import threading

from sluice.lake.niceness import be_nice

__all__ = ["main"]

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
    import sluice.lake.native.scanned  # noqa: F401, PLC0415  to import it is to compile it

    return 0


if __name__ == "__main__":
    sys.exit(main())
