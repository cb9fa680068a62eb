"""Folders that must stay what they are while a process works in them.

Where one is moved, replaced or unmounted, what would be written by its name would be missing when the first one is
back, and what stands in its place may belong to another service.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sluice import disk

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Anchor", "require_folders"]


class Anchor:
    """The name of a folder, and where it led when this was made, or when it was first there afterwards.

    Args:
        path: the name.
        place: where it leads, if that is known already.
        may_be_made_again: it may be missing, and another one may have its name, on the same disk.

    Attributes:
        path: as given.
        may_be_made_again: as given.
    """

    def __init__(self, path: Path, *, place: disk.Place | None = None, may_be_made_again: bool = False) -> None:
        self.path = path
        self._place = place
        self.may_be_made_again = may_be_made_again
        if place is None:
            with suppress(OSError):  # then it is looked at later
                self.check()

    @property
    def place(self) -> disk.Place | None:
        """Where it led then; None until it is there."""
        return self._place

    def check(self) -> None:
        """See that it still leads there.

        Raises:
            FileNotFoundError: it doesn't.
            OSError: that can't be seen.
        """
        place = disk.place_of(self.path)
        if self._place is None:
            self._place = place
        elif self.may_be_made_again:
            if place is not None and place.device != self._place.device:
                raise FileNotFoundError(errno.ENOENT, "on another disk than at the start", str(self.path))
        elif place != self._place:
            raise FileNotFoundError(errno.ENOENT, "not the folder that was there at the start", str(self.path))


def require_folders(places: Sequence[tuple[str, int, int]]) -> None:
    """See that names lead where another process has seen them lead.

    Args:
        places: of each folder its path, and the device and inode that it was found at.

    Raises:
        FileNotFoundError: one leads elsewhere.
        OSError: that can't be seen.
    """
    for path, device, inode in places:
        Anchor(Path(path), place=disk.Place(device, inode)).check()
