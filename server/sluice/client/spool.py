"""A store on disk: what is logged outlives the process.

    <spool>/0000000000000042.batch   the events of one batch, from the first that is logged until all are settled
            refused.jsonl            events that will not be tried again
            damaged/                 copies of files that could not be read whole

One client at a time uses the folder: it is locked. Files are numbered in the order in which they were begun; what an
earlier client left is sent first, under the idempotency keys that it was sent with.

Written means: handed to the system, so a killed process loses nothing. Synced means: on the disk, so a power failure
loses nothing either; `sync` does it, for all callers that wait together.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice import disk
from sluice.client.errors import SpoolError, SpoolLocked
from sluice.client.refused_file import REFUSED_NAME, append_refused
from sluice.client.spool_file import UnknownVersion, frame_of, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sluice.client.report import Dropped

__all__ = ["Spool"]

_messages = logging.getLogger("sluice.client")

_SUFFIX = ".batch"
_DAMAGED = "damaged"
# A file of one event takes a block too: without this, small batches would fill a disk far beyond the limit.
_BLOCK_BYTES = 4096


@dataclass(slots=True, eq=False)
class _File:
    """A file of the folder, and the batches in it that are not settled."""

    path: Path
    size: int = 0
    keys: set[bytes] = field(default_factory=set)

    @property
    def space(self) -> int:
        return -(-self.size // _BLOCK_BYTES) * _BLOCK_BYTES


class Spool:
    """The store in a folder; made if it is missing.

    Args:
        folder: where.
        most_bytes: what its files take, at most.
        keep_refused_bytes: size of `refused.jsonl`, at most; 0: there is none.

    Raises:
        SpoolLocked: another client uses it.
        SpoolError: it can't be used.
    """

    survives = True

    def __init__(self, folder: Path, *, most_bytes: int, keep_refused_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._keep_refused_bytes = keep_refused_bytes
        self._files: dict[bytes, _File] = {}
        self._leftovers: deque[_File] = deque()
        self._next_number = 0
        self._written: disk.File | None = None
        self._written_key = b""
        # What is written and not synced. Its own lock: syncing takes long, and others write meanwhile.
        self._unsynced: set[Path] = set()
        self._unsynced_guard = threading.Lock()
        self._syncing = threading.Lock()
        self._writes = self._synced_writes = 0
        self._has_new_names = False
        self._lock: int | None = None
        self.size = 0
        with self._told("can't be opened"):
            disk.make_durable_folders(folder, mode=0o700)
            self._lock = disk.lock_folder(folder, inheritable=False)
        if self._lock is None:
            raise SpoolLocked(
                f"spool {folder} is in use by another client", folder, hint="give each process a folder of its own"
            )
        _open_spools.add(self)
        with self._told("can't be read"):
            self._find_leftovers()

    @property
    def leftovers(self) -> int:  # noqa: D102  as Store says
        return len(self._leftovers)

    @property
    def batches(self) -> int:  # noqa: D102  as Store says
        return len(self._files) + len(self._leftovers)

    def room_for(self, events: int, size: int) -> bool:  # noqa: D102  as Store says
        # Keys and checksums take up to 64 bytes a frame, and a frame may begin a file.
        return self.size + size + events * 64 + _BLOCK_BYTES <= self._most_bytes

    def append(self, key: bytes, encoded: Sequence[bytes]) -> None:  # noqa: D102  as Store says
        with self._told("can't be written"):
            file = self._files.get(key) or self._create(key)
            try:
                written = self._open_for(file, key)
                end = written.write_at(frame_of(key, encoded), file.size)
            except OSError:
                self._undo(file, key)
                raise
            self._resize(file, end)
        with self._unsynced_guard:
            self._unsynced.add(file.path)
            self._writes += 1

    def read(self, key: bytes) -> list[bytes]:  # noqa: D102  as Store says
        file = self._files[key]
        with self._told("can't be read"):
            found = parse(disk.read_bytes(file.path))
        if key not in found.batches:
            raise SpoolError(f"spool {self._folder}: {file.path.name} was changed by somebody else", self._folder)
        return found.batches[key]

    def divide(self, key: bytes, parts: Mapping[bytes, list[bytes]]) -> None:  # noqa: D102  as Store says
        file = self._files[key]
        self._rewrite(file, without=key, and_with=parts)
        del self._files[key]
        file.keys.remove(key)
        file.keys.update(parts)
        self._files.update(dict.fromkeys(parts, file))

    def remove(self, key: bytes) -> None:  # noqa: D102  as Store says
        file = self._files.pop(key)
        file.keys.remove(key)
        if file.keys:
            # Others of a divided batch still wait: the next client must not send this one again.
            self._rewrite(file, without=key, and_with={})
            return
        if self._written_key == key:
            self._let_go()
        with self._unsynced_guard:
            self._unsynced.discard(file.path)
        with self._told("can't be cleared"):
            disk.unlink(file.path)
        self._resize(file, 0)

    def keep_refused(self, dropped: Iterable[Dropped]) -> None:  # noqa: D102  as Store says
        if not self._keep_refused_bytes:
            return
        with self._told("can't be written"):
            kept = append_refused(self._folder / REFUSED_NAME, dropped, most_bytes=self._keep_refused_bytes)
        if not kept:
            _messages.error(
                "%s is full (%d bytes): further events that the server refuses are only reported",
                self._folder / REFUSED_NAME,
                self._keep_refused_bytes,
            )

    def next_leftovers(self) -> Mapping[bytes, list[bytes]]:  # noqa: D102  as Store says
        file = self._leftovers.popleft()
        with self._told("can't be read"):
            try:
                found = parse(disk.read_bytes(file.path))
            except UnknownVersion:
                _messages.error("%s was written by a later version of this client: it is left alone", file.path)
                return {}
            if found.damaged_bytes:
                self._keep_copy(file)
                _messages.error("%s is damaged: %d bytes can't be read", file.path, found.damaged_bytes)
            if found.torn_bytes:
                _messages.warning("%s lost its end: %d bytes", file.path, found.torn_bytes)
            if found.batches:
                file.keys.update(found.batches)
                self._files.update(dict.fromkeys(found.batches, file))
            else:
                disk.unlink(file.path)
                self._resize(file, 0)
        return found.batches

    @property
    def writes(self) -> int:
        """How often was written so far: what `sync` takes."""
        return self._writes

    def sync(self, writes: int | None = None) -> None:
        """Return when the first so many writes are on the disk; None: all there are. Callers that wait share a sync.

        Raises:
            SpoolError: the disk failed. What was written is kept, and is as durable as the system makes it.
        """
        with self._syncing:
            with self._unsynced_guard:
                if writes is not None and writes <= self._synced_writes:
                    return
                paths, self._unsynced = self._unsynced, set()
                new_names, self._has_new_names = self._has_new_names, False
                reached = self._writes
            try:
                with self._told("can't be synced"):
                    for path in paths:
                        _sync_file(path)
                    if new_names:
                        disk.sync_folder(self._folder)
            except SpoolError:
                with self._unsynced_guard:
                    self._unsynced |= paths
                    self._has_new_names = self._has_new_names or new_names
                raise
            self._synced_writes = reached

    def close(self) -> None:
        """Sync, and let another client have the folder."""
        self._let_go()
        try:
            self.sync()
        finally:
            self.release()

    def release(self) -> None:
        """Give the lock back; in a fork: this process's share of it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _find_leftovers(self) -> None:
        for name in disk.entries(self._folder):
            path = self._folder / name
            if name.startswith("."):  # staged by a client that was killed
                disk.unlink(path)
            elif name.endswith(_SUFFIX) and name.removesuffix(_SUFFIX).isdigit():
                file = _File(path)
                self._resize(file, disk.size_of(path))
                self._leftovers.append(file)
                self._next_number = int(name.removesuffix(_SUFFIX)) + 1
        self.size += sum(disk.size_of(self._folder / _DAMAGED / name) for name in disk.entries(self._folder / _DAMAGED))

    def _create(self, key: bytes) -> _File:
        self._let_go()
        file = _File(self._folder / f"{self._next_number:016}{_SUFFIX}", keys={key})
        self._written = disk.create(file.path, mode=0o600)
        self._written_key = key
        self._next_number += 1
        with self._unsynced_guard:
            self._has_new_names = True
        self._files[key] = file
        return file

    def _open_for(self, file: _File, key: bytes) -> disk.File:
        if self._written is None or self._written_key != key:
            self._let_go()
            self._written, self._written_key = disk.append_to(file.path), key
        return self._written

    def _rewrite(self, file: _File, *, without: bytes, and_with: Mapping[bytes, list[bytes]]) -> None:
        """Put other content in the place of a file's, all at once and durably."""
        self._let_go()
        with self._told("can't be written"):
            batches = dict(parse(disk.read_bytes(file.path)).batches)
            batches.pop(without, None)
            batches.update(and_with)
            content = b"".join(part for key, events in batches.items() for part in frame_of(key, events))
            disk.replace_file(file.path, content)
        self._resize(file, len(content))

    def _undo(self, file: _File, key: bytes) -> None:
        """Cut off what a failed write may have left. Where that fails too, the next write is over it, or a torn end."""
        with suppress(OSError):
            if file.size:
                self._open_for(file, key).cut(file.size)
            else:
                self._let_go()
                del self._files[key]
                disk.unlink(file.path)

    def _let_go(self) -> None:
        written, self._written, self._written_key = self._written, None, b""
        if written is not None:
            written.close()

    def _resize(self, file: _File, size: int) -> None:
        self.size -= file.space
        file.size = size
        self.size += file.space

    def _keep_copy(self, file: _File) -> None:
        copy = self._folder / _DAMAGED / file.path.name
        disk.make_folders(copy.parent, mode=0o700)
        if not disk.exists(copy):
            disk.replace_file(copy, disk.read_bytes(file.path))
            self.size += file.size

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Let what the system says of the disk be a SpoolError."""
        try:
            yield
        except OSError as exc:
            raise SpoolError(f"spool {self._folder} {what}: {exc}", self._folder) from exc


def _sync_file(path: Path) -> None:
    try:
        # By its name: the file that is written may be closed meanwhile by those who write.
        file = disk.append_to(path)
    except FileNotFoundError:
        return  # delivered meanwhile
    try:
        file.datasync()
    finally:
        file.close()


_open_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _let_locks_go() -> None:
    """A fork must not hold the folder beyond the life of the process that uses it."""
    for spool in list(_open_spools):
        spool.release()


os.register_at_fork(after_in_child=_let_locks_go)
