"""Bring all that the log holds into the lake, and wait until it is there.

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
from sluice.lake.writer import LakeWriter, Outcome
from sluice.log import LocalSegments, recover
from sluice.log.segment import Folders, parse_damaged, parse_id, parse_sealed
from sluice.supervisor.process_id import is_alive
from sluice.supervisor.run_file import read_run_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.lake.config import WriterConfig
    from sluice.supervisor.process_id import ProcessId

__all__ = ["Flushed", "NotAllowed", "PublishingFailed", "flush"]

_ASK_AGAIN_S = 0.25
_LOOK_EVERY_S = 0.02


class PublishingFailed(SluiceError):
    """The log could not be brought to the lake; nothing is lost."""


class NotAllowed(SluiceError):
    """The running service belongs to another user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """How far a flush came.

    Attributes:
        segments: how many segments held records at the call.
        missing: ids of those that are still in the log, oldest first.
        damaged: names of files below log/damaged/ that came from them meanwhile.
    """

    segments: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]


def flush(
    data_dir: Path,
    *,
    timeout_s: float,
    progress: Callable[[int, int], None],
    writer_config: Callable[[], WriterConfig],
) -> Flushed:
    """Bring what the log holds now into the lake.

    Args:
        data_dir: the data folder.
        timeout_s: from the call on; what is not there by then is `missing`.
        progress: told, again and again, how many segments are in the lake, and of how many.
        writer_config: gives the lake writer's values; asked only where there is no service.

    Raises:
        NotAllowed: the running service is another user's.
        PublishingFailed: there is no service, and what it would have done failed.
    """
    deadline = time.monotonic() + timeout_s
    folders = Folders(data_dir / "log")
    damaged_before = _damaged(folders)
    wanted = _in_log(folders)
    while True:
        missing = wanted & _in_log(folders)
        progress(len(wanted) - len(missing), len(wanted))
        if not missing or time.monotonic() >= deadline:
            break
        _ask_or_publish(data_dir, writer_config)
        ask_again_at = min(deadline, time.monotonic() + _ASK_AGAIN_S)
        while time.monotonic() < ask_again_at and wanted & _in_log(folders) == missing:
            time.sleep(_LOOK_EVERY_S)
    damaged = {name for name, segment in _damaged(folders).items() if segment in wanted and name not in damaged_before}
    return Flushed(segments=len(wanted), missing=tuple(sorted(missing)), damaged=tuple(sorted(damaged)))


def _in_log(folders: Folders) -> set[str]:
    # Open ones before sealed ones: one that is sealed in between is seen twice, not missed.
    ids = set()
    for name in disk.entries(folders.open):
        try:
            # One without a byte holds nothing that was acknowledged, and is sealed only when it does.
            if parse_id(name) is not None and disk.size_of(folders.open / name):
                ids.add(name)
        except FileNotFoundError:
            continue
    sealed = (parse_sealed(name) for name in disk.entries(folders.sealed))
    return ids | {each.id for each in sealed if each is not None}


def _damaged(folders: Folders) -> dict[str, str]:
    """Files that hold what was set aside, with the segments that they come from."""
    names = {name: parse_damaged(name) for name in disk.entries(folders.damaged)}
    return {name: parsed.id.text for name, parsed in names.items() if parsed is not None and not parsed.is_report}


def _ask_or_publish(data_dir: Path, writer_config: Callable[[], WriterConfig]) -> None:
    run = read_run_file(data_dir)
    if run is not None and run.is_alive:
        _ask(run.supervisor)
        return
    lock = disk.lock_folder(data_dir)
    if lock is None:
        return
    try:
        _publish(data_dir, writer_config())
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


def _publish(data_dir: Path, config: WriterConfig) -> None:
    # The last part of what a service does when it stops.
    log = data_dir / "log"
    recover(log)
    writer = LakeWriter(config, LocalSegments(log, archive=config.archive))
    writer.prepare()
    while (outcome := writer.run_once(time.time(), at_once=True)) is Outcome.PUBLISHED:
        pass
    if outcome is Outcome.FAILED:
        raise PublishingFailed("segments could not be published; nothing is lost", hint="the messages above say why")
