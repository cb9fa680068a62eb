"""Files of the lake that are not whole yet, and which segments the writer has in hand.

`lake/.staging/` is on the lake's file system, so that a rename moves a file, and outside `events/`: Polars, DuckDB and
pyarrow each read some kind of temporary name there.

`current.json` names the segments that are being decoded. It is for the supervisor: when the writer dies by its own
fault, these are to blame.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sluice import disk
from sluice.anchor import Anchor
from sluice.lake.partition import LAKE_FOLDER, file_name
from sluice.log.foreign import leave_foreign
from sluice.telemetry import messages_of

__all__ = ["STAGING_FOLDER", "Staging", "segments_in_hand"]

STAGING_FOLDER = ".staging"
_IN_HAND = "current.json"


_messages = messages_of("lake")


class Staging:
    """The staging folder of the one writer."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / LAKE_FOLDER / STAGING_FOLDER
        # Another data folder has another writer; below a mount point nobody would find what is published.
        self._anchors = (Anchor(data_dir), Anchor(data_dir / LAKE_FOLDER, may_be_made_again=True))
        self._told: set[str] = set()

    def prepare(self) -> None:
        """Make the folder, and remove what a killed predecessor left in it. What can't be removed stays.

        Raises:
            OSError: the folder can't be made or listed; FileNotFoundError: the lake's disk is gone.
        """
        self._check()
        disk.make_folders(self.folder)
        self._check()
        for name in disk.entries(self.folder):
            path = self.folder / name
            try:
                disk.unlink(path)
            except OSError as exc:
                is_folder = isinstance(exc, IsADirectoryError)
                if name not in self._told:
                    now = leave_foreign(path, _messages, room="lake", is_in_the_way=is_folder, error=exc.strerror)
                    self._told.add(now.name)

    def path_of(self, first_segment_id: str) -> Path:
        """Where the file of that name is written."""
        return self.folder / file_name(first_segment_id)

    def take_in_hand(self, ids: list[str]) -> None:
        """Tell the supervisor what is being decoded.

        Raises:
            OSError: it can't be written; FileNotFoundError: the lake's disk is gone.
        """
        self._check()
        disk.replace_file(self.folder / _IN_HAND, msgspec.json.encode(ids))

    def put_down(self) -> None:
        """Tell the supervisor that nothing is being decoded."""
        disk.unlink(self.folder / _IN_HAND)

    def _check(self) -> None:
        for anchor in self._anchors:
            anchor.check()


def segments_in_hand(data_dir: str | Path) -> list[str]:
    """The ids of the segments that a writer was decoding when it died; to be asked before its successor starts.

    Empty where it was decoding none: then no segment is to blame.
    """
    path = Path(data_dir) / LAKE_FOLDER / STAGING_FOLDER / _IN_HAND
    try:
        return msgspec.json.decode(disk.read_bytes(path), type=list[str])
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
