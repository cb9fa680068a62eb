"""Every file operation below the data folder: the only module that does any.

What changes something (create, write, truncate, sync, rename, unlink, make a folder) is a named `Operation`. An
`Observer` sees each one before and after it is done: tests record the order of operations with it, let one fail, or
let the process die before it. Reading is not observed.

Every OSError that leaves it says on which path; the system leaves that out where it was given a descriptor.

Nothing is durable before a sync: a file's content by `File.datasync` or `File.sync`, its name by `sync_folder` of the
folder that holds it. fsync can't promise more than the disk below it does.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = [
    "File",
    "Identity",
    "NotARegularFile",
    "Observer",
    "Operation",
    "Place",
    "append_to",
    "create",
    "entries",
    "entries_by_kind",
    "exists",
    "file_names",
    "free_bytes",
    "identity",
    "is_locked",
    "lock_folder",
    "locked_files",
    "make_durable_folders",
    "make_folders",
    "move_aside",
    "move_new",
    "observed",
    "open_read",
    "open_whole",
    "place_of",
    "place_of_open",
    "read_bytes",
    "replace_file",
    "size_of",
    "staged_for",
    "sync_folder",
    "sync_folders_up_to",
    "unlink",
]

Verb = Literal["create", "write", "truncate", "datasync", "sync", "rename", "unlink", "mkdir", "sync_folder", "chown"]

_MOST_READ_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2

_ASIDE = ".foreign"
_STAGED_PREFIX, _STAGED_SUFFIX = ".", ".new"

# writev takes at most IOV_MAX buffers a call.
_MAX_BUFFERS = os.sysconf("SC_IOV_MAX")

# Of the folder above one that others made: this user may not read it, or its file system syncs no folders (fsync(2)).
_NOT_OURS_TO_SYNC = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One change below the data folder.

    Attributes:
        verb: what is done.
        path: the file or folder it is done to.
        to: where a rename leads.
        offset: where a write begins, or the size that a truncation leaves, in bytes.
        data: the bytes that are written.
    """

    verb: Verb
    path: str
    to: str = ""
    offset: int = 0
    data: bytes = b""


class Observer(Protocol):
    """Sees every operation; may raise OSError from `before` to make it fail, or end the process."""

    def before(self, operation: Operation) -> None:
        """Called when the operation is about to be done."""

    def after(self, operation: Operation) -> None:
        """Called when it has been done without an error."""


_observer: Observer | None = None


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Let the observer see all operations of this process until the block ends."""
    global _observer  # noqa: PLW0603  one per process, and none at all outside of tests
    outer, _observer = _observer, observer
    try:
        yield
    finally:
        _observer = outer


@contextmanager
def _step(
    verb: Verb, path: str | Path, *, to: str | Path = "", offset: int = 0, data: Sequence[ReadableBuffer] = ()
) -> Iterator[None]:
    observer = _observer
    try:
        if observer is None:
            yield
            return
        joined = b"".join(bytes(d) for d in data)
        operation = Operation(verb=verb, path=str(path), to=str(to), offset=offset, data=joined)
        observer.before(operation)
        yield
        observer.after(operation)
    except OSError as exc:
        _name(exc, path)
        raise


@contextmanager
def _looking(path: str | Path) -> Iterator[None]:
    """What is asked of a descriptor, and changes nothing."""
    try:
        yield
    except OSError as exc:
        _name(exc, path)
        raise


def _name(error: OSError, path: str | Path) -> None:
    # One without a number is a text alone, which a name would hide.
    if error.filename is None and error.errno is not None:
        error.filename = str(path)


class NotARegularFile(OSError):
    """A folder, pipe, socket or device has a file's name: a pipe would wait for a writer, a device might never end."""


class File(io.RawIOBase):
    """An open file: a binary file object, and the few calls that durability needs.

    Writing has two ways: `write`, at the end of what was written so far, as pyarrow wants it; and `write_at`, which
    says where. A file keeps its descriptor until `close`; closing does not sync.
    """

    def __init__(self, fd: int, path: Path, *, writable: bool) -> None:
        super().__init__()
        self._fd = fd
        self._writable = writable
        self._position = 0
        self.path = path

    def fileno(self) -> int:  # noqa: D102  as io.RawIOBase says
        return self._fd

    def readable(self) -> bool:  # noqa: D102  as io.RawIOBase says
        return not self._writable

    def writable(self) -> bool:  # noqa: D102  as io.RawIOBase says
        return self._writable

    def seekable(self) -> bool:  # noqa: D102  as io.RawIOBase says
        return not self._writable

    def tell(self) -> int:  # noqa: D102  as io.RawIOBase says
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:  # noqa: D102  as io.RawIOBase says
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size()}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:  # noqa: D102  as io.RawIOBase says
        with _looking(self.path):
            count = os.preadv(self._fd, [buffer], self._position)
        self._position += count
        return count

    def readall(self) -> bytes:
        """The rest of the file, into memory once: io.RawIOBase joins pieces of 8 KiB, which takes twice as much."""
        content = self.read_at(self._position, max(0, self.size() - self._position))
        self._position += len(content)
        # It may have grown meanwhile, and one call gives 2 GiB at most.
        rest = super().readall()
        return content + rest if rest else content

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` on; fewer where the file ends before."""
        with _looking(self.path):
            return os.pread(self._fd, size, offset)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of the data behind what was written so far; return its length in bytes."""
        size = memoryview(data).nbytes
        self.write_at([data], self._position)
        self._position += size
        return size

    def write_at(self, buffers: Sequence[ReadableBuffer], offset: int) -> int:
        """Write all buffers, one behind the other, from `offset` on; return the offset behind the last.

        Raises:
            OSError: a part may have been written; the caller cuts it off.
        """
        with _step("write", self.path, offset=offset, data=buffers):
            waiting = [view for buffer in buffers if (view := memoryview(buffer).cast("B"))]
            while waiting:
                written = os.pwritev(self._fd, waiting[:_MAX_BUFFERS], offset)
                offset += written
                while waiting and written >= len(waiting[0]):
                    written -= len(waiting.pop(0))
                if written:
                    waiting[0] = waiting[0][written:]
        return offset

    def datasync(self) -> None:
        """Make the content durable, and its size, but no other fact about the file."""
        with _step("datasync", self.path):
            os.fdatasync(self._fd)

    def sync(self) -> None:
        """Make the content and all facts about the file durable; its name needs `sync_folder` besides."""
        with _step("sync", self.path):
            os.fsync(self._fd)

    def cut(self, size: int) -> None:
        """Truncate the file to `size` bytes."""
        with _step("truncate", self.path, offset=size):
            os.ftruncate(self._fd, size)

    def give_to_owner_of_folder(self) -> None:
        """Where root made the file, let it belong to whoever its folder belongs to, so that they are not locked out.

        Only for a file that `create` just made: an older name may be a link to a file that is not theirs.
        """
        owner = self.path.parent.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            with _step("chown", self.path):
                os.fchown(self._fd, owner.st_uid, owner.st_gid)

    def size(self) -> int:
        """The file's size in bytes, now."""
        return self._facts().st_size

    def try_lock(self) -> bool:
        """Take the file's lock (flock) if it is free; it goes with the last descriptor, so also by SIGKILL."""
        return _try_lock(self._fd, self.path)

    def still_at(self, path: Path) -> bool:
        """Whether that name still leads to this very file."""
        try:
            there = path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, self._facts())

    def close(self) -> None:
        """Give the descriptor back, and with it the lock."""
        if not self.closed:
            super().close()
            fd, self._fd = self._fd, -1  # the number may soon be another file's
            with _looking(self.path):
                os.close(fd)

    def _facts(self) -> os.stat_result:
        with _looking(self.path):
            return os.fstat(self._fd)


def create(path: Path, *, mode: int = 0o644) -> File:
    """Create a file for writing; FileExistsError if there is one of that name."""
    with _step("create", path):
        return File(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode), path, writable=True)


def append_to(path: Path) -> File:
    """Open an existing file for cutting, writing and locking; its content is read with `read_bytes`."""
    return File(os.open(path, os.O_RDWR | os.O_CLOEXEC), path, writable=True)


def open_read(path: Path) -> File:
    """Open a file for reading.

    Raises:
        NotARegularFile: it is something else.
        OSError: it can't be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno != errno.ENXIO:  # a socket
            raise
        raise NotARegularFile(errno.EINVAL, "not a regular file", str(path)) from exc
    with _looking(path):
        is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
    if not is_regular:
        os.close(fd)
        raise NotARegularFile(errno.EINVAL, "not a regular file", str(path))
    return File(fd, path, writable=False)


def read_bytes(path: Path) -> bytes:
    """The whole content of a file; OSError as `open_whole`."""
    with open_whole(path) as file:
        return file.readall()


def open_whole(path: Path) -> File:
    """Open a file for reading all of it.

    Raises:
        OSError: as `open_read`; or it is larger than half of the memory, as one that somebody truncated upwards may be.
    """
    with ExitStack() as unless_returned:
        file = unless_returned.enter_context(open_read(path))
        if (size := file.size()) > _MOST_READ_BYTES:
            raise OSError(errno.EFBIG, f"too large to be read at once: {size} bytes", str(path))
        unless_returned.pop_all()
    return file


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put a file of this content in place of the old one, durably, so that a reader sees the old or the new.

    One that root makes belongs to the owner of the folder. For files that one process at a time replaces: what a killed
    one left of its try has the name that the next try takes, so there is at most one.
    """
    staged = path.with_name(f"{_STAGED_PREFIX}{path.name}{_STAGED_SUFFIX}")
    unlink(staged)
    file = create(staged, mode=mode)
    try:
        file.give_to_owner_of_folder()
        file.write(content)
        file.sync()
    finally:
        file.close()
    with _step("rename", staged, to=path):
        os.replace(staged, path)
    sync_folder(path.parent)


def staged_for(name: str) -> str | None:
    """The name of the file that `replace_file` is to put in place of, when it stages one of this name; else None."""
    is_staged = name.startswith(_STAGED_PREFIX) and name.endswith(_STAGED_SUFFIX)
    return name[len(_STAGED_PREFIX) : -len(_STAGED_SUFFIX)] or None if is_staged else None


def move_new(source: Path, target: Path) -> None:
    """Rename a file to a name that no file has; FileExistsError if one has it.

    Two steps, so it is for folders with one writer, as all below the data folder are.
    """
    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    with _step("rename", source, to=target):
        os.rename(source, target)


def move_aside(path: Path) -> Path | None:
    """Give what has a name that is needed another one, in its folder: `<name>.foreign`, or one with a number.

    Returns:
        Where it is now; None where it was moved before.
    """
    if _ASIDE in path.name:
        return None
    target, number = path.with_name(f"{path.name}{_ASIDE}"), 1
    while exists(target):
        number += 1
        target = path.with_name(f"{path.name}{_ASIDE}-{number}")
    move_new(path, target)
    return target


def unlink(path: Path) -> bool:
    """Remove a file; False if there was none."""
    try:
        with _step("unlink", path):
            os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def make_folders(path: Path, *, mode: int = 0o755) -> None:
    """Make a folder and those above it that are missing; `sync_folders_up_to` makes their names durable."""
    if path.is_dir():
        return
    make_folders(path.parent, mode=mode)
    try:
        with _step("mkdir", path):
            os.mkdir(path, mode)
    except FileExistsError:
        if not path.is_dir():
            raise


def make_durable_folders(path: Path, *, mode: int = 0o755) -> None:
    """Make a folder and those above it that are missing, each durably.

    The name of the lowest that is there already is made durable too: whoever made it may have died before that.
    """
    is_there = path.is_dir()
    if not is_there:
        make_durable_folders(path.parent, mode=mode)
        make_folders(path, mode=mode)
    try:
        sync_folder(path.parent)
    except OSError as exc:
        if not is_there or exc.errno not in _NOT_OURS_TO_SYNC:
            raise


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable: what was created, renamed to or from, and removed there."""
    with _step("sync_folder", path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_folders_up_to(path: Path, top: Path) -> None:
    """Sync a folder, the one that holds it, and so on, up to and with `top`."""
    for folder in [path, *path.parents]:
        sync_folder(folder)
        if folder == top:
            return
    raise ValueError(f"{path} is not below {top}")


def entries(path: Path) -> list[str]:
    """The names in a folder, sorted; none if there is no such folder."""
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def entries_by_kind(path: Path) -> dict[str, bool]:
    """The names in a folder, sorted, each with whether it is a regular file's; none if there is no such folder.

    Of one moment: a name that is removed and made anew meanwhile is told as a file, or not at all.
    """
    try:
        with os.scandir(path) as found:
            kinds = {entry.name: entry.is_file(follow_symlinks=False) or _is_file_now(entry) for entry in found}
    except FileNotFoundError:
        return {}
    return {name: is_file for name, is_file in sorted(kinds.items()) if is_file is not None}


def _is_file_now(entry: os.DirEntry[str]) -> bool | None:
    """Whether it is a regular file; None if it is gone, which some file systems tell as "no file"."""
    try:
        return stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


def file_names(path: Path) -> list[str]:
    """The names of a folder's regular files, sorted; none if there is no such folder.

    What else may have a file's name is passed over: a folder, a link, a pipe, a device.
    """
    try:
        with os.scandir(path) as found:
            return sorted(entry.name for entry in found if entry.is_file(follow_symlinks=False))
    except FileNotFoundError:
        return []


def exists(path: Path) -> bool:
    """Whether something has that name."""
    return os.path.lexists(path)


class Place(NamedTuple):
    """What a name leads to: it changes when another file or folder gets the name, or another disk is mounted there."""

    device: int
    inode: int


def place_of(path: Path) -> Place | None:
    """What a name leads to; None where it leads to nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Place(found.st_dev, found.st_ino)


def place_of_open(fd: int) -> Place:
    """Where an open file or folder is, whatever its name leads to now."""
    found = os.fstat(fd)
    return Place(found.st_dev, found.st_ino)


def size_of(path: Path) -> int:
    """A file's size in bytes."""
    return path.stat().st_size


class Identity(NamedTuple):
    """What changes when a file is replaced, written or made readable."""

    device: int
    inode: int
    size_bytes: int
    written_ns: int
    changed_ns: int


def identity(path: Path) -> Identity | None:
    """A file's identity; None if there is no such file.

    One stat, for those who look often.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return Identity(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def free_bytes(path: Path) -> int:
    """What an ordinary user can still write on the file system that holds the path, in bytes."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def lock_folder(path: Path, *, inheritable: bool = True) -> int | None:
    """Take a folder's lock (flock); return the descriptor that holds it, None if somebody else does.

    A descriptor that is inheritable goes to programs that this process starts: the lock lasts until the last process
    that has it ends.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(fd, inheritable)
    if _try_lock(fd, path):
        return fd
    os.close(fd)
    return None


def is_locked(folder: Path) -> bool:
    """Whether some process has a folder's lock, seen without taking it."""
    place = place_of(folder)
    return place is not None and place.inode in locked_files()


def locked_files() -> frozenset[int]:
    """The inodes of all files that some process has locked, seen without taking a lock. Source: proc(5), /proc/locks.

    By inode alone: the device that stands there is not that of stat on all file systems.
    """
    try:
        with open("/proc/locks", encoding="ascii") as locks:
            lines = [line.split() for line in locks]
    except FileNotFoundError:
        return frozenset()
    places = [fields[5] for fields in lines if len(fields) > 5 and fields[1] == "FLOCK"]
    return frozenset(int(place.rpartition(":")[2]) for place in places)


def _try_lock(fd: int, path: Path) -> bool:
    try:
        with _looking(path):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
