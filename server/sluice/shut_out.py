"""Libraries that others look for and take in where they are installed, though nothing here uses what they add.

Where pandas is installed, pyarrow imports it at its first array: 1.1 s of CPU and 60 MB in each lake writer. structlog
imports rich, which typer brings: 0.2 s in every process.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType, TracebackType

__all__ = ["ShutOut"]


class ShutOut(MetaPathFinder):
    """A library that this process can't find; as a context manager, for as long as the block lasts.

    One that is imported already stays.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the import end as that of a library that isn't installed."""
        del path, target
        if fullname == self._name:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.meta_path.remove(self)
