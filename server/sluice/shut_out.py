"""Libraries that others look for and take in where they are installed, though nothing here uses what they add.

Where pandas is installed, pyarrow imports it at its first array: 1.1 s of CPU and 60 MB in each lake writer. structlog
imports rich, which typer brings: 0.2 s in every process.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["shut_out", "without"]


def shut_out(library: str) -> None:
    """Let this process not find a library from now on. One that is imported already stays."""
    sys.meta_path.insert(0, _NotInstalled(library))


@contextmanager
def without(library: str) -> Iterator[None]:
    """Let this process not find a library in the block."""
    finder = _NotInstalled(library)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _NotInstalled(MetaPathFinder):
    def __init__(self, library: str) -> None:
        self._library = library

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname == self._library:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None
