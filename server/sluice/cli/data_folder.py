"""Whether a folder is a data folder: a wrong one holds no events either, and would look like a healthy one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sluice import disk
from sluice.keys.file_format import KEYS_FILE_NAME
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER, REJECTS_FOLDER
from sluice.log.segment import LOG_FOLDER, REFUSED_FOLDER, State

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_data_folder"]

# One is enough: keys are made before the first start, a lake may be copied alone, and whoever has seen to them may
# remove the log's folders. Not `log` itself, which /var has too.
_MARKS = (
    KEYS_FILE_NAME,
    *(f"{LOG_FOLDER}/{name}" for name in (*(state.value for state in State), REFUSED_FOLDER)),
    *(f"{LAKE_FOLDER}/{name}" for name in (EVENTS_FOLDER, REJECTS_FOLDER)),
)


def is_data_folder(folder: Path) -> bool:
    """Whether keys, log or lake of a service are there, or a service holds the folder, which may be about to make them.

    A folder that this user may not look into counts as one: whoever reads it tells of that.
    """
    try:
        return any(_is_there(folder / mark) for mark in _MARKS) or disk.is_locked(folder)
    except PermissionError:
        return True


def _is_there(path: Path) -> bool:
    with suppress(NotADirectoryError):
        return disk.place_of(path) is not None
    return False
