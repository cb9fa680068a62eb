"""Bring all that both logs hold into the lake, and wait until it is there.

    what is found                  what is done
    a running service              SIGUSR1 to its supervisor, again and again: workers seal, the lake writer publishes
    none, and the folder is free   the same in this process, under the folder's lock: recover, then publish
    none, and the folder is held   wait: the processes of a killed service are ending, and hold it until they have

A segment leaves the log only when its records are durable in the lake, or were set aside as damaged. So the segments
that exist at the call are all that has to be watched, whoever wrote them.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import disk
from sluice.errors import SluiceError
from sluice.log.backlog import backlog
from sluice.log.refused import refused_log
from sluice.log.segment import LOG_FOLDER, Folders
from sluice.log.segment_files import damaged_files
from sluice.supervisor.process_id import is_alive
from sluice.supervisor.run_file import read_run_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sluice.supervisor.process_id import ProcessId

__all__ = ["Flushed", "NotAllowed", "flush"]

_ASK_AGAIN_S = 0.25
_LOOK_EVERY_S = 0.02


class NotAllowed(SluiceError):
    """The running service belongs to another user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """How far a flush came.

    Attributes:
        segments: how many segments held records at the call.
        missing: ids of those that are still in the log, oldest first.
        damaged: names of files below log/damaged/ that came from them meanwhile.
        damaged_before: how many such files there were at the call.
    """

    segments: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    damaged_before: int


def flush(
    data_dir: Path,
    *,
    timeout_s: float,
    progress: Callable[[int, int], None],
    publish: Callable[[float], None],
) -> Flushed:
    """Bring what the log holds now into the lake.

    Args:
        data_dir: the data folder.
        timeout_s: from the call on; what is not there by then is `missing`.
        progress: told, again and again, how many segments are in the lake, and of how many.
        publish: brings the log to the lake in this process, until a time on the monotonic clock; called only under the
            folder's lock.

    Raises:
        NotAllowed: the running service is another user's.
        SluiceError: what `publish` raises.
    """
    deadline = time.monotonic() + timeout_s
    logs = (Folders(data_dir / LOG_FOLDER), Folders(refused_log(data_dir)))
    damaged_before = _damaged(logs)
    wanted = _in_log(logs)
    while True:
        missing = wanted & _in_log(logs)
        progress(len(wanted) - len(missing), len(wanted))
        if not missing or time.monotonic() >= deadline:
            break
        _ask_or_publish(data_dir, publish, deadline)
        ask_again_at = min(deadline, time.monotonic() + _ASK_AGAIN_S)
        while time.monotonic() < ask_again_at and wanted & _in_log(logs) == missing:
            time.sleep(_LOOK_EVERY_S)
    damaged = {name for name, segment in _damaged(logs).items() if segment in wanted and name not in damaged_before}
    return Flushed(
        segments=len(wanted),
        missing=tuple(sorted(missing)),
        damaged=tuple(sorted(damaged)),
        damaged_before=len(damaged_before),
    )


def _in_log(logs: Iterable[Folders]) -> set[str]:
    return {segment.id for folders in logs for segment in backlog(folders)}


def _damaged(logs: Iterable[Folders]) -> dict[str, str]:
    """Files that hold what was set aside, or tell of what is missing, with the segments that they come from."""
    return {file.path.name: file.id for folders in logs for file in damaged_files(folders.log)}


def _ask_or_publish(data_dir: Path, publish: Callable[[float], None], deadline: float) -> None:
    run = read_run_file(data_dir)
    if run is not None and run.is_alive:
        _ask(run.supervisor)
        return
    lock = disk.lock_folder(data_dir)
    if lock is None:
        return
    try:
        publish(deadline)
    finally:
        os.close(lock)


def _ask(supervisor: ProcessId) -> None:
    # Through a descriptor: between the look at the start time and the signal the id can't come to mean another process.
    try:
        process = os.pidfd_open(supervisor.pid)
    except ProcessLookupError:
        return
    try:
        if is_alive(supervisor):
            signal.pidfd_send_signal(process, signal.SIGUSR1)
    except PermissionError as exc:
        raise NotAllowed(
            f"process {supervisor.pid}, which runs the service, belongs to another user",
            hint="run sluice flush as the user that runs sluice up",
        ) from exc
    except ProcessLookupError:
        return
    finally:
        os.close(process)
