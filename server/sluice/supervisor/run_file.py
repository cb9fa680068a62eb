"""run.json: what a running service tells other processes about itself.

`sluice flush` and `sluice status` find the service by it, and the next start finds what a killed supervisor left. It is
replaced whole whenever something in it changes, and removed when the service ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sluice import disk, telemetry
from sluice.supervisor.process_id import ProcessId, is_alive

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RUN_FILE_NAME", "RunFile", "read_run_file", "remove_run_file", "write_run_file"]

RUN_FILE_NAME = "run.json"

_messages = telemetry.messages_of("supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A running service. Other tools read these names: add to them, never rename.

    Attributes:
        supervisor: the process that `sluice up` is.
        children: the processes it started, by role: `envoy`, `worker-0` …, `lake`.
        listen: where events come in, `host:port` as chosen; empty until it is open, or with an external Envoy.
        admin: where /metrics, /livez and /readyz answer, `host:port` as chosen; empty until it is open.
        sockets: the folder of the workers' sockets.
        edge: whose Envoy it is, `embedded` or `external`.
    """

    supervisor: ProcessId
    children: dict[str, ProcessId]
    listen: str
    admin: str
    sockets: str
    edge: str = "embedded"

    @property
    def is_alive(self) -> bool:
        """Whether its supervisor still runs."""
        return is_alive(self.supervisor)


def read_run_file(data_dir: Path) -> RunFile | None:
    """What run.json says; None if there is none, or none that can be understood.

    A service that was killed leaves its run.json: see `RunFile.is_alive`.
    """
    try:
        return msgspec.json.decode(disk.read_bytes(data_dir / RUN_FILE_NAME), type=RunFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def write_run_file(data_dir: Path, run: RunFile) -> None:
    """Put this in place of what run.json says.

    Raises:
        OSError: the folder can't be written; what was there before stays.
    """
    content = msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"
    path = data_dir / RUN_FILE_NAME
    try:
        disk.replace_file(path, content, mode=0o644)
    except IsADirectoryError:
        # As an engine makes one for a file that it is told to mount, and that is not there.
        aside = disk.move_aside(path)
        _messages.warning("a folder was in the way, and is moved aside", path=str(path), to=aside and aside.name)
        disk.replace_file(path, content, mode=0o644)


def remove_run_file(data_dir: Path) -> None:
    """Remove run.json: the service has ended, and left nothing behind that runs."""
    disk.unlink(data_dir / RUN_FILE_NAME)
    disk.sync_folder(data_dir)
