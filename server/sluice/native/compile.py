"""Compiles what a module has into numba's cache, if it isn't there, and ends; at once when its standard input ends.

    python -m sluice.native.compile MODULE

Others that compile meanwhile wait for it: they may be about to compile the same.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.native.cache import folder
from sluice.niceness import be_nice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["main"]

# Nobody waits for it; but it should come to an end also where all processors are busy.
_NICENESS = 10
# What stands behind the module's name the second time.
_AGAIN = "again"


def _end_with_standard_input() -> None:
    # Not by sys.stdin, whose lock an interpreter that ends would wait for.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main() -> int:
    """Run the process; return its exit code."""
    if len(sys.argv) not in {2, 3}:
        sys.stderr.write("error: one argument is needed, the name of a module\n")
        return 2
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    module, is_second_time = sys.argv[1], len(sys.argv) == 3
    if not is_second_time:
        be_nice(_NICENESS)
    cache = folder()
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        try:
            importlib.import_module(module)
        except Exception:  # whatever a broken file lets the one who reads it raise
            if is_second_time:
                raise
            # What a power cut has left of it, perhaps. What is loaded by now would not be compiled again: so it begins
            # anew, and lets go of the lock.
            shutil.rmtree(cache, ignore_errors=True)
            os.execv(sys.executable, [sys.executable, "-P", "-m", "sluice.native.compile", module, _AGAIN])
    return 0


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let no other process compile into the same cache meanwhile; it ends with this process at the latest."""
    lock = os.open(cache.with_name(f"{cache.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
