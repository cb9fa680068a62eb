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

from sluice.niceness import be_nice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    if len(sys.argv) != 2:
        sys.stderr.write("error: one argument is needed, the name of a module\n")
        return 2
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    be_nice(_NICENESS)
    from sluice.native.compiled import FOLDER  # noqa: PLC0415  numba takes 0.4 s

    with _alone(FOLDER):
        make_with_cache(FOLDER, lambda: importlib.import_module(sys.argv[1]))
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process compile into the same folder meanwhile; it ends with this process at the latest."""
    lock = os.open(folder.with_name(f"{folder.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def make_with_cache(folder: Path, make: Callable[[], object]) -> None:
    """Let something be made that reads and fills a cache; where that fails, once more with an empty one."""
    try:
        make()
    except Exception:  # noqa: BLE001  whatever a broken file lets the one who reads it raise
        # What a power cut has left of it, perhaps.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        make()


if __name__ == "__main__":
    sys.exit(main())
