"""Which files came to the lake since one looked last, and which log segments they name.

How `sluice tail` learns of segments that came and went between two of its looks at the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import disk
from sluice.lake.files import hour_files
from sluice.lake.parquet import UnreadableFile, segments_named_in
from sluice.lake.partition import folder_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sluice.lake.parquet import SegmentRows

__all__ = ["Arrival", "Arrivals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file that came.

    Attributes:
        path: the file.
        segments: what it names.
    """

    path: Path
    segments: tuple[SegmentRows, ...]


class Arrivals:
    """The files of a table, hour by hour, and which of them were seen.

    Args:
        table: the table's folder.
    """

    def __init__(self, table: Path) -> None:
        self._table = table
        self._seen: dict[str, frozenset[str]] = {}

    def begin(self, hours: Collection[str]) -> None:
        """Take the files of these hours for seen.

        Raises:
            OSError: a folder can't be listed.
        """
        self._seen = {hour: self._names(hour) for hour in hours}

    def look(self, hours: Collection[str]) -> list[Arrival]:
        """The files of these hours that were not seen before; other hours are forgotten.

        A file that is none of the lake's, or can't be read, is passed over: others tell of it.

        Raises:
            OSError: a folder can't be listed.
        """
        seen, self._seen = self._seen, {hour: self._names(hour) for hour in hours}
        return [
            arrival
            for hour, names in self._seen.items()
            for name in sorted(names - seen.get(hour, frozenset()))
            if (arrival := self._arrival(folder_of(self._table, hour) / name)) is not None
        ]

    def _names(self, hour: str) -> frozenset[str]:
        return frozenset(path.name for path in hour_files(folder_of(self._table, hour)))

    @staticmethod
    def _arrival(path: Path) -> Arrival | None:
        try:
            with disk.open_read(path) as file:
                return Arrival(path=path, segments=segments_named_in(file))
        except (OSError, UnreadableFile):
            return None
