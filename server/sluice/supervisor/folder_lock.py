"""The data folder belongs to one service at a time: its lock (flock), and what to do about a predecessor's processes.

Workers and the lake writer inherit the descriptor that holds the lock. So as long as one of them lives, even after its
supervisor was killed, nobody else gets the folder: there is never a second lake writer, nor a writer that recovery does
not see.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sluice import disk, telemetry
from sluice.errors import SluiceError
from sluice.supervisor.process_id import end_process, is_alive
from sluice.supervisor.run_file import read_run_file

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.supervisor.run_file import RunFile

__all__ = ["ORPHANS_MAY_TAKE_S", "FolderInUse", "hold_folder"]

ORPHANS_MAY_TAKE_S = 10.0

_POLL_S = 0.05
# After SIGKILL the kernel still has to close what the process had open.
_KILLED_MAY_TAKE_S = 5.0

_messages = telemetry.messages_of("supervisor")


class FolderInUse(SluiceError):
    """Another service has the data folder."""


def hold_folder(data_dir: Path, *, orphans_may_take_s: float = ORPHANS_MAY_TAKE_S) -> int:
    """Take the folder's lock; return the descriptor that holds it, for this process and for children that get it.

    A folder that only the orphans of a killed supervisor still hold is waited for. They stop by themselves; what hasn't
    after `orphans_may_take_s` is killed, by process id and start time as run.json tells them. Envoy, which doesn't hold
    the lock, is killed with them if it has outlived its supervisor.

    Raises:
        FolderInUse: a live service has it, or somebody whom no run.json names.
        OSError: the folder can't be opened.
    """
    deadline = time.monotonic() + orphans_may_take_s
    told = False
    while (fd := disk.lock_folder(data_dir)) is None:
        run = read_run_file(data_dir)
        if run is not None and run.is_alive:
            raise FolderInUse(
                f"{data_dir}: in use by another service, process {run.supervisor.pid}",
                hint="stop that one, or give this one another --data-dir",
            )
        if time.monotonic() > deadline:
            fd = _after_killing_orphans(data_dir, run)
            break
        if not told:
            _messages.warning(
                "waiting for the processes that hold the data folder to end", may_take_s=orphans_may_take_s
            )
            told = True
        time.sleep(_POLL_S)
    left = read_run_file(data_dir)
    # One that names a live supervisor, who doesn't hold this folder, came with a copy of another folder.
    if left is not None and not left.is_alive:
        _kill_orphans(left)
    return fd


def _after_killing_orphans(data_dir: Path, run: RunFile | None) -> int:
    if run is not None:
        _kill_orphans(run)
    deadline = time.monotonic() + _KILLED_MAY_TAKE_S
    while (fd := disk.lock_folder(data_dir)) is None:
        if time.monotonic() > deadline:
            raise FolderInUse(
                f"{data_dir}: its lock is held by a process that no run.json names",
                hint=f"see which: fuser {data_dir}",
            )
        time.sleep(_POLL_S)
    return fd


def _kill_orphans(run: RunFile) -> None:
    for role, process in run.children.items():
        if is_alive(process):
            gone = end_process(process)
            _messages.warning("killed a process of a killed service", child=role, pid=process.pid, gone=gone)
