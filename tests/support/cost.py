"""What some work costs in ways that no busy machine changes: calls that Python makes, and operations on the disk."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from sluice import disk

__all__ = ["Cost", "counted"]


@dataclass
class Cost:
    """What was counted.

    Attributes:
        calls: of functions, Python's own among them, by this thread.
        operations: the verbs of what was done to the disk, by any thread.
    """

    calls: int = 0
    operations: list[str] = field(default_factory=list)


@contextmanager
def counted() -> Iterator[Cost]:
    """Count until the block ends."""
    cost = Cost()

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            cost.calls += 1

    with disk.observed(_Operations(cost.operations.append)):
        sys.setprofile(profile)
        try:
            yield cost
        finally:
            sys.setprofile(None)


class _Operations:
    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def before(self, operation: disk.Operation) -> None:
        self._note(operation.verb)

    def after(self, operation: disk.Operation) -> None:
        """Each is counted once."""
