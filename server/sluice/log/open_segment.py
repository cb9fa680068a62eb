"""The segment that is being written: its file, its lock, and the steps by which it leaves.

    begin     create with O_EXCL, lock, check that the name still leads to the locked file, fsync open/
    append    write, fdatasync, then it is kept: what was written counts only when all are done
    cut       truncate to the last good offset, fsync: after a write or fdatasync that failed, or took too long
    leave     fsync, rename to sealed/, fsync sealed/, fsync open/; without a record: unlink, fsync open/

`cut` and `leave` can be called until they succeed. Who calls what after a failure: segment_writer.py.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log.ports import Sealed
from sluice.log.segment import new_segment_id, sealed_name
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sluice.log.sealing import Run
    from sluice.log.segment import Folders

__all__ = ["OpenSegment"]

_messages = messages_of("log")

# Recovery takes a file that has no lock yet, if it looks between the file's creation and its locking.
_TRIES_TO_BEGIN = 8


class OpenSegment:
    """A file below open/ whose lock this process holds.

    Attributes:
        id: its name.
        path: where it is while it is open.
        run: of its records.
        opened_at_s: when it was begun, as time.monotonic.
        records: those that are durable.
        size_bytes: of the durable records: the last good offset.
    """

    def __init__(self, file: disk.File, folders: Folders, *, segment_id: str, run: Run, opened_at_s: float) -> None:
        self._file = file
        self._folders = folders
        self.id = segment_id
        self.path = folders.open / segment_id
        self.run = run
        self.opened_at_s = opened_at_s
        self.records = 0
        self.size_bytes = 0
        self._end = 0
        self._written_behind_end = False
        self._rename_begun = False
        self._steps_to_leave: list[Callable[[], object]] | None = None

    @classmethod
    def create(cls, folders: Folders, *, node: str, run: Run, now_s: float) -> OpenSegment:
        """Make and lock a file of a new name. The name isn't durable before `make_name_durable`.

        Raises:
            OSError: it can't be made; none is left behind that isn't empty.
        """
        for _ in range(_TRIES_TO_BEGIN):
            segment_id = new_segment_id(hour=run.hour, node=node)
            path = folders.open / segment_id
            file = disk.create(path)
            if file.try_lock() and file.still_at(path):
                return cls(file, folders, segment_id=segment_id, run=run, opened_at_s=now_s)
            file.close()
        raise OSError(f"{_TRIES_TO_BEGIN} new segments were taken away before they were locked")

    def make_name_durable(self) -> None:
        """Fsync open/: before the first record is acknowledged."""
        disk.sync_folder(self._folders.open)

    def write(self, buffers: Sequence[bytes]) -> None:
        """Write whole records behind the last good offset.

        Raises:
            OSError: any part of them may be in the file: `cut` it off, and never write again.
        """
        self._written_behind_end = True
        self._end = self._file.write_at(buffers, self.size_bytes)

    def sync(self) -> None:
        """Fdatasync what was written: then `keep` it, or `cut` it off.

        Raises:
            OSError: as `write`.
        """
        self._file.datasync()

    def keep(self, *, records: int) -> None:
        """Count what is durable now."""
        self._written_behind_end = False
        self.size_bytes = self._end
        self.records += records

    def cut(self) -> None:
        """Take off, durably, what was written and not kept.

        Raises:
            OSError: it may still be there; call again.
        """
        if self._written_behind_end:
            self._file.cut(self.size_bytes)
            self._file.sync()
            self._written_behind_end = False

    def leave(self) -> Sealed | None:
        """Seal the segment and give its lock back; without a record, remove it and return None.

        Raises:
            OSError: call again; it goes on at the step that failed.
        """
        if self._steps_to_leave is None:
            self._steps_to_leave = (
                [self._file.sync, self._rename, lambda: disk.sync_folder(self._folders.sealed)]
                if self.records
                else [lambda: disk.unlink(self.path)]
            )
            self._steps_to_leave.append(lambda: disk.sync_folder(self._folders.open))
        while self._steps_to_leave:
            self._steps_to_leave[0]()
            del self._steps_to_leave[0]
        self._file.close()
        return self._sealed() if self.records else None

    def _rename(self) -> None:
        # A rename that reported an error may have been done, and the lake may have the segment already.
        if self._file.still_at(self.path):
            self._rename_begun = True
            disk.move_new(self.path, self._folders.sealed / sealed_name(self._sealed()))
        elif not self._rename_begun:
            # Where a folder above it is away, it may come back.
            self._folders.check()
            if not disk.exists(self._folders.open):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._folders.open))
            _messages.error("segment vanished before it was sealed", segment=self.id, records=self.records)

    def _sealed(self) -> Sealed:
        return Sealed(hour=self.run.hour, id=self.id, records=self.records, size_bytes=self.size_bytes)
