"""`sluice up`: takes the data folder, makes what the processes share, and serves until told to stop.

Whatever goes wrong before the first child starts is one clear error, and leaves nothing behind.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sluice import disk, telemetry
from sluice.errors import SluiceError
from sluice.outage import NO_ROOM
from sluice.supervisor.descriptors import raise_limit
from sluice.supervisor.folder_lock import hold_folder
from sluice.supervisor.run_folder import make_run_folder, remove_dead_run_folders

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.settings.model import Settings

__all__ = ["UnusableFolder", "UnusableName", "up"]


class UnusableFolder(SluiceError):
    """No folder is there, nor can one be made."""


class UnusableName(SluiceError):
    """The data folder's name can't be passed on."""


def up(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when something waits for the next start.

    Raises:
        SluiceError: it can't start; every child that was started has ended.
        OSError: the data folder can't be used.
    """
    as_json = settings.messages == "json" or (settings.messages == "auto" and not sys.stderr.isatty())
    messages = telemetry.configure(role="supervisor", json=as_json)
    raise_limit()
    data_dir = settings.data_dir.absolute()
    _must_be_text(data_dir)
    _make(data_dir)
    with ExitStack() as cleanup:
        lock_fd = hold_folder(data_dir)
        cleanup.callback(os.close, lock_fd)
        remove_dead_run_folders()
        run_folder = make_run_folder()
        cleanup.callback(run_folder.remove)
        # For this process too, not only for its children.
        os.environ[telemetry.METRICS_FOLDER_VARIABLE] = str(run_folder.metrics)
        os.environ[telemetry.ROLE_VARIABLE] = "supervisor"
        from sluice.supervisor.supervisor import serve  # noqa: PLC0415  what counts reads that variable on import

        return serve(
            settings,
            data_dir=data_dir,
            run_folder=run_folder,
            lock_fd=lock_fd,
            messages=messages,
            json_messages=as_json,
        )


def _make(data_dir: Path) -> None:
    try:
        disk.make_durable_folders(data_dir)
    except OSError as exc:
        if exc.errno in NO_ROOM or data_dir.is_dir():
            raise
        raise UnusableFolder(
            f"{exc.filename or data_dir}: no data folder can be made: {exc.strerror}",
            hint="give --data-dir a folder that the service's user may write, or a path where it may make one",
        ) from exc


def _must_be_text(data_dir: Path) -> None:
    """Children are told the name in JSON, and DuckDB takes only UTF-8."""
    try:
        str(data_dir).encode()
    except UnicodeEncodeError as exc:
        raise UnusableName(
            f"{str(data_dir)!a}: the name of the data folder is not UTF-8", hint="choose another one"
        ) from exc
