"""Where this process counts: files that the supervisor reads together, whose room on the disk is taken beforehand.

prometheus_client's multiprocess mode maps its files into memory. The system ends a process by SIGBUS when it writes to
a page that the disk has no room for, so all of a file is allocated before anything counts in it. Files are named by
the process's role, and a successor goes on in those of the process before: a counter goes on counting, and a process
that is started anew on a full disk needs no more room than there is.

All that counts takes its classes from here, so that this comes first. A process that finds no room counts for itself
alone, and says so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, values  # noqa: TID251  here they are let out

from sluice.telemetry import METRICS_FOLDER_VARIABLE, ROLE_VARIABLE, messages_of

__all__ = ["Counter", "Gauge", "Histogram", "forget_gauges", "take_room", "tell_if_apart"]

# prometheus_client's names: the type, and of a gauge how those of all processes become one.
_GAUGES = ("gauge_livesum", "gauge_livemax")
_KINDS = ("counter", "histogram", *_GAUGES)
# Some 100 bytes for each figure; prometheus_client itself begins with as much.
_FILE_BYTES = 64 * 1024

_messages = messages_of("metrics")


def _choose(folder: str, role: str) -> OSError | None:
    """Let what is counted from now on go to the files of that role; return why it can't."""
    if not folder:
        return None
    try:
        take_room(Path(folder), role)
    except OSError as exc:
        values.ValueClass = values.MutexValue
        return exc
    values.ValueClass = values.MultiProcessValue(lambda: role)  # type: ignore[no-untyped-call]  # the library has no types here
    return None


def take_room(folder: Path, role: str) -> None:
    """Allocate the files of a role, if it has none yet.

    Raises:
        OSError: there is no room, or no folder.
    """
    for kind in _KINDS:
        _allocate(folder / f"{kind}_{role}.db")


def _allocate(path: Path) -> None:
    if path.exists():
        return
    # A reader takes any *.db for a whole one.
    staged = path.with_suffix(".new")
    try:
        with staged.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)
        staged.rename(path)
    finally:
        staged.unlink(missing_ok=True)


_why_apart = _choose(
    os.environ.get(METRICS_FOLDER_VARIABLE, ""), os.environ.get(ROLE_VARIABLE, "") or f"process-{os.getpid()}"
)


def tell_if_apart() -> None:
    """Tell the operator if this process counts for itself alone; when its messages are set up."""
    if _why_apart is not None:
        _messages.error(
            "what this process counts is missing in /metrics until it is started anew",
            error=str(_why_apart),
            hint="free space in the temporary folder",
        )


def forget_gauges(folder: Path, role: str) -> None:
    """Drop the gauges of a process that has ended; its counters stay, and its files, for its successor."""
    for kind in _GAUGES:
        # What can't be dropped now is set anew by the successor.
        with suppress(OSError), (folder / f"{kind}_{role}.db").open("r+b") as file:
            file.write(bytes(_FILE_BYTES))
