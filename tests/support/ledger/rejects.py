"""The table of refused requests, read as it grows: each is there once at most, none in the table of events."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["RejectsReader"]


class RejectsReader:
    """The files of the table rejects, each read once.

    Args:
        data_dir: the data folder.

    Attributes:
        ids: of all requests that are there.
        twice: of those that are there more than once.
        broken: files that are none.
    """

    def __init__(self, data_dir: Path) -> None:
        self._table = data_dir / "lake/rejects"
        self._known: set[Path] = set()
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.broken: list[str] = []

    def look(self) -> None:
        """Read the files that are new."""
        for path in sorted(self._table.rglob("*.parquet")):
            if path in self._known:
                continue
            self._known.add(path)
            try:
                ids = pq.ParquetFile(path).read(["request_id"]).column(0).to_pylist()
            except (pa.ArrowInvalid, OSError) as exc:
                self.broken.append(f"{path}: {exc}")
                continue
            for id_ in ids:
                (self.twice if id_ in self.ids else self.ids).add(id_)
