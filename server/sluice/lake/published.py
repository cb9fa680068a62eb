"""Which segments the lake's files already hold: what makes it exactly once.

A file names its segments in its own metadata, so the name and the rows become durable in one rename.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import disk
from sluice.lake.parquet import UnreadableFile, segments_named_in
from sluice.lake.partition import SUFFIX, folder_of
from sluice.log.foreign import leave_foreign
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

__all__ = ["Published"]

_messages = messages_of("lake")


class Published:
    """The ids of all segments in the files of an hour, read once and then kept up to date by the one writer."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._ids: dict[str, set[str]] = {}

    def ids(self, hour: str) -> Collection[str]:
        """The segments in the hour's files.

        Raises:
            UnreadableFile: a file there can't be read, or doesn't say what it holds.
        """
        if hour not in self._ids:
            folder = folder_of(self._table, hour)
            try:
                self._ids[hour] = self._read(folder)
            except OSError as exc:
                raise UnreadableFile(str(exc.filename or folder), exc.strerror or str(exc)) from exc
        return self._ids[hour]

    def add(self, hour: str, ids: Iterable[str]) -> None:
        """Remember what a new file of the hour holds."""
        self._ids.setdefault(hour, set()).update(ids)

    def keep_only(self, hours: Collection[str]) -> None:
        """Forget other hours, which bounds the memory; they are read again when they are asked for."""
        self._ids = {hour: ids for hour, ids in self._ids.items() if hour in hours}

    def forget(self) -> None:
        """Forget all: after a step that failed, only the files themselves know what was published."""
        self._ids = {}

    @staticmethod
    def _read(folder: Path) -> set[str]:
        ids: set[str] = set()
        for name in disk.entries(folder):
            if name.endswith(SUFFIX):
                try:
                    with disk.open_read(folder / name) as file:
                        ids.update(segment.id for segment in segments_named_in(file))
                except disk.NotARegularFile:
                    leave_foreign(folder / name, _messages, room="lake")
        return ids
