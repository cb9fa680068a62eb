"""What was done to the disk and answered to callers, in one order: what a power cut may cut anywhere.

A `History` is an Observer of `sluice.disk`. It also lets operations fail, or the process die before one.
"""

import errno
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sluice.disk import Operation
from tests.power_cut.file_system import FileSystem, Tree
from tests.power_cut.ledger import Answered, KeyTold, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable


class Died(SystemExit):
    """A process ends here. A SystemExit, since it is what an event loop lets out of a task at once."""


@dataclass(frozen=True, slots=True)
class Done:
    """An operation that was done."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Failed:
    """An operation that reported an error; what was done of it all the same stands before it as `Done`."""

    operation: Operation


Entry = Done | Failed | Answered | KeyTold


@dataclass(slots=True)
class Fault:
    """An operation that goes wrong, once.

    Attributes:
        verb: what is done.
        part: of its path.
        how: `before` it is done, `half` way (a write), or `after` it was done all the same; or it `dies` before it.
    """

    verb: str
    part: str
    how: Literal["before", "half", "after", "dies"] = "before"


class History:
    """Records the operations of a folder, and what callers were told.

    Args:
        root: the folder; paths are kept as they are below it.
        start: what it holds, all of it durable.
    """

    def __init__(self, root: Path, start: Tree | None = None) -> None:
        self.entries: list[Entry] = []
        self.start: Tree = start or {}
        self.faults: list[Fault] = []
        self.on_turn: Callable[[Operation], None] = lambda _: None
        self._root = root

    def before(self, operation: Operation) -> None:
        """See an operation that is about to be done."""
        self.on_turn(operation)
        fault = self._fault_of(operation)
        if fault is None or fault.how == "after":
            return
        self.faults.remove(fault)
        if fault.how == "dies":
            raise Died
        if fault.how == "half" and operation.verb == "write":
            self._write_half(operation)
        self.entries.append(Failed(self._below_root(operation)))
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def after(self, operation: Operation) -> None:
        """See an operation that was done."""
        if operation.path == str(self._root.parent):
            return  # the root's own name is durable
        self._add(self._below_root(operation))
        if (fault := self._fault_of(operation)) is not None:
            self.faults.remove(fault)
            self.entries.append(Failed(self._below_root(operation)))
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def note(self, event: Answered | KeyTold) -> None:
        """Keep what a caller was told, behind all that was done before."""
        self.entries.append(event)

    def _add(self, operation: Operation) -> None:
        last = self.entries[-1] if self.entries else None
        if isinstance(last, Done) and _goes_on(last.operation, operation):
            operation = replace(last.operation, data=last.operation.data + operation.data)
            self.entries.pop()
        self.entries.append(Done(operation))

    def _fault_of(self, operation: Operation) -> Fault | None:
        return next((f for f in self.faults if f.verb == operation.verb and f.part in operation.path), None)

    def _write_half(self, operation: Operation) -> None:
        half = replace(operation, data=operation.data[: len(operation.data) // 2])
        fd = os.open(operation.path, os.O_WRONLY)
        with suppress(OSError):
            os.pwrite(fd, half.data, half.offset)
        os.close(fd)
        self.entries.append(Done(self._below_root(half)))

    def _below_root(self, operation: Operation) -> Operation:
        path = Path(operation.path).relative_to(self._root).as_posix()
        to = Path(operation.to).relative_to(self._root).as_posix() if operation.to else ""
        return replace(operation, path=path, to=to)


def _goes_on(first: Operation, second: Operation) -> bool:
    """Whether two writes are as good as one: a power cut between them is one that tears that one."""
    return (
        (first.verb, second.verb) == ("write", "write")
        and first.path == second.path
        and first.offset + len(first.data) == second.offset
    )


class Replay:
    """A prefix of a history: the disk and the ledger as they are then.

    Attributes:
        operations: how many it has.
        last: the last of them, in words.

    Args:
        history: what is replayed.
        ledger: what was known before it.
    """

    def __init__(self, history: History, ledger: Ledger | None = None) -> None:
        self.file_system = FileSystem(history.start)
        self.ledger = ledger.copy() if ledger else Ledger()
        self.operations = 0
        self.last = "no operation"
        self._waiting = deque(history.entries)
        self._hear()

    def step(self) -> bool:
        """Go on by one operation, and by what was answered before the next; False at the end."""
        if not self._waiting:
            return False
        match self._waiting.popleft():
            case Done(operation):
                self.file_system.done(operation)
                self.last = f"{operation.verb} {operation.path}"
            case Failed(operation):
                self.file_system.failed(operation)
                self.last = f"{operation.verb} {operation.path}, which failed"
        self.operations += 1
        self._hear()
        return True

    def to_end(self) -> "Replay":
        """Go through all that is left."""
        while self.step():
            pass
        return self

    def _hear(self) -> None:
        while self._waiting and isinstance(event := self._waiting[0], Answered | KeyTold):
            self.ledger.note(event)
            self._waiting.popleft()
