"""One run of a child process, from its start until it is reaped."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sluice.supervisor.process_id import ProcessId, process_id

if TYPE_CHECKING:
    import signal
    from asyncio.subprocess import Process
    from collections.abc import Mapping

__all__ = ["Child", "PythonChild", "PythonProgram"]


class Child(Protocol):
    """What the supervisor needs of a running child."""

    @property
    def identity(self) -> ProcessId:
        """The process."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; then its exit code, or the negative number of the signal that ended it."""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonProgram:
    """A room of the house that runs as a process of its own.

    Attributes:
        module: what `python -m` runs.
        argument: its one argument, a JSON object.
        inherited_fds: descriptors that it gets, under the same numbers.
        environment: what its environment has beyond this process's.
    """

    module: str
    argument: str
    inherited_fds: tuple[int, ...]
    environment: Mapping[str, str]


class PythonChild:
    """A running `PythonProgram`. Its messages go where this process's go."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._identity = process_id(process.pid) or ProcessId(pid=process.pid, started=0)

    @classmethod
    async def start(cls, program: PythonProgram) -> PythonChild:
        """Start it, in a session of its own: Ctrl-C on the terminal is for the supervisor alone.

        Raises:
            OSError: no process can be made.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a folder named like one of our packages, where somebody stands, is not what is meant
            "-m",
            program.module,
            program.argument,
            stdin=asyncio.subprocess.DEVNULL,
            # Standard output is for what the person who typed `sluice up` is told.
            stdout=sys.stderr.fileno(),
            env={**os.environ, **program.environment},
            pass_fds=program.inherited_fds,
            start_new_session=True,
        )
        try:
            return cls(process)
        except OSError:
            # Nobody would look after it.
            process.kill()
            await process.wait()
            raise

    @property
    def identity(self) -> ProcessId:  # noqa: D102  as Child says
        return self._identity

    @property
    def exit_code(self) -> int | None:  # noqa: D102  as Child says
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:  # noqa: D102  as Child says
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return  # it ended by itself meanwhile
