"""What a disk may hold after the power failed, for a known history of `disk.Operation`s.

A state is allowed when it comes about like this:

    content of a file   All that a successful `datasync` or `sync` of the file has seen is there, truncations included.
                        Of each write since then the disk has a `Piece`: nothing, all, any part from its beginning,
                        zeros or noise in place of any stretch, with or without what stood behind it. A truncation
                        since then is lost or kept. Each has a fate of its own: a later one may be there without an
                        earlier.
    names               A `create`, `mkdir`, `rename` or `unlink` is one step: lost or kept as a whole, also where it
                        changes two folders or replaces a file. `sync_folder` makes all steps durable that changed a
                        name in that folder, on both their sides. Any other step is lost or kept by itself, but no step
                        is kept without the earlier ones of the same file or the same name: what was never there can't
                        be renamed.
    what sync leaves    `sync` of a file doesn't make its name durable: the whole file may vanish. `sync_folder` makes
                        neither the content of files durable nor the folder's own name in the folder above.
    a sync that failed  May have dropped what it should have written: a later sync of the file that succeeds says
                        nothing about those writes. A folder whose sync failed loses nothing by it: a journal is tried
                        again, or the file system takes no more changes.

Not allowed, so not tried: a disk that lies about a sync, or loses what was durable; a rename that is there in one
folder and not in the other; bytes of other, deleted files in a file that was being written (ext4 with
`data=writeback`). Owners and modes of files are not modelled.

The order in which un-synced writes reach the disk makes a difference only where they overlap. The log never writes a
byte twice between two syncs, and the model refuses a history that does.

Sources:
    fsync(2): it "does not necessarily ensure that the entry in the directory containing the file has also reached disk"
    POSIX.1-2017: fsync, rename
    Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014: what differs between file systems; ALICE
    Mohan et al., "CrashMonkey and ACE", ACM TOS 2019, and "File System Crash-Recovery Guarantees", linux-fsdevel, March
        2019: ext4, xfs, btrfs and F2FS keep more than this model asks of them
    sqlite.org/testing.html: "Crash Testing"
    wiki.postgresql.org/wiki/Fsync_Errors: a sync that failed
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePosixPath
from typing import Literal, Protocol

from sluice.disk import Operation

# By path below the model's root: a file's bytes, or None for a folder.
Tree = Mapping[str, bytes | None]

_ROOT = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What is on disk of a write: its bytes up to `kept`, filler up to `filler_end`, its bytes again up to `end`."""

    kept: int
    filler_end: int
    end: int
    noise: bool = False

    @property
    def is_holed(self) -> bool:
        """Whether something else stands where bytes are missing.

        Where nothing tells it from damage to a record that was acknowledged, recovery keeps it: noise always, zeros
        where they begin within a checksum. Source: sluice/log/torn_tail.py.
        """
        return self.kept < self.filler_end


class Fate(Protocol):
    """Decides what becomes of each change that was not durable."""

    def keeps(self, what: str, /) -> bool:
        """Whether a change of names, or a truncation, is on disk."""

    def piece(self, what: str, size: int, /) -> Piece:
        """What of a write of so many bytes is on disk."""


@dataclass(slots=True)
class _ContentChange:
    verb: Literal["write", "truncate"]
    offset: int
    data: bytes = b""
    durable: bool = False
    dropped: bool = False  # by a sync that failed: no later one makes it durable


@dataclass(slots=True)
class _File:
    content: bytearray = field(default_factory=bytearray)  # what is durable, but for changes behind one that isn't
    changes: list[_ContentChange] = field(default_factory=list)

    def synced(self) -> None:
        for change in self.changes:
            change.durable = change.durable or not change.dropped
            if change.verb == "truncate":
                self._forget_behind(change)
        self.changes = [change for change in self.changes if change.data or change.verb == "truncate"]
        while self.changes and self.changes[0].durable:
            _apply(self.content, self.changes.pop(0), None)

    def sync_failed(self) -> None:
        for change in self.changes:
            change.dropped = change.dropped or (change.verb == "write" and not change.durable)

    def add(self, change: _ContentChange) -> None:
        end = change.offset + len(change.data)
        for other in self.changes:
            overlaps = other.offset < end and change.offset < other.offset + len(other.data)
            if overlaps and not other.durable:
                raise AssertionError(f"bytes {change.offset} to {end} are written twice between two syncs")
        self.changes.append(change)

    def _forget_behind(self, cut: _ContentChange) -> None:
        for change in self.changes:
            if change is cut:
                return
            if change.dropped:
                change.data = change.data[: max(0, cut.offset - change.offset)]


_Place = tuple[int, str]  # a folder and a name in it


@dataclass(slots=True, eq=False)
class _NameChange:
    what: str
    names: list[tuple[_Place, int | None]]
    nodes: set[int]
    folders: set[int]

    @property
    def touches(self) -> set[object]:
        return {place for place, _ in self.names} | self.nodes


class FileSystem:
    """The changes of one history, and what of them is durable.

    Args:
        tree: what is durable from the beginning.
    """

    def __init__(self, tree: Tree | None = None) -> None:
        self._numbers = count(_ROOT + 1)
        self._files: dict[int, _File] = {}
        self._durable: dict[_Place, int] = {}
        self._now: dict[_Place, int] = {}
        self._waiting: list[_NameChange] = []
        # A file that is open is still written by the path under which it was opened, when it has been renamed.
        self._opened_as: dict[str, int] = {}
        for path, content in sorted((tree or {}).items()):
            place, node = self._place(path), next(self._numbers)
            self._durable[place] = self._now[place] = node
            if content is not None:
                self._files[node] = _File(bytearray(content))

    def done(self, operation: Operation) -> None:
        """Add an operation that succeeded."""
        match operation.verb:
            case "create" | "mkdir":
                node = next(self._numbers)
                if operation.verb == "create":
                    self._files[node] = _File()
                    self._opened_as[operation.path] = node
                self._rename(operation, [(self._place(operation.path), node)], {node})
            case "rename":
                source, target = self._place(operation.path), self._place(operation.to)
                node = self._now[source]
                replaced = {self._now[target]} if target in self._now else set()
                self._opened_as[operation.path] = self._opened_as[operation.to] = node
                self._rename(operation, [(source, None), (target, node)], {node} | replaced)
            case "unlink":
                place = self._place(operation.path)
                self._opened_as[operation.path] = self._now[place]
                self._rename(operation, [(place, None)], {self._now[place]})
            case "write":
                self._file(operation).add(_ContentChange("write", operation.offset, operation.data))
            case "truncate":
                self._file(operation).add(_ContentChange("truncate", operation.offset))
            case "datasync" | "sync":
                self._file(operation).synced()
            case "sync_folder":
                self._sync_folder(self._node(operation.path))
            case "chown":
                pass

    def failed(self, operation: Operation) -> None:
        """Add an operation that reported an error; what was done of it all the same was added before."""
        if operation.verb in ("datasync", "sync"):
            self._file(operation).sync_failed()

    def after_power_cut(self, fate: Fate) -> Tree:
        """What is on disk if the power fails now and the fate decides so."""
        names = dict(self._durable)
        lost: set[object] = set()
        for change in self._waiting:
            if lost.isdisjoint(change.touches) and fate.keeps(change.what):
                _rename_in(names, change)
            else:
                lost |= change.touches
        return {path: self._content(path, node, fate) for path, node in _walk(names)}

    def as_processes_see_it(self) -> Tree:
        """What is there as long as the power doesn't fail."""
        return {path: self._content(path, node, _ALL) for path, node in _walk(self._now)}

    def _content(self, path: str, node: int, fate: Fate) -> bytes | None:
        if node not in self._files:
            return None
        file = self._files[node]
        content = bytearray(file.content)
        for change in file.changes:
            what = f"{change.verb} {path} at {change.offset}"
            if change.durable:
                _apply(content, change, None)
            elif change.verb == "write":
                _apply(content, change, fate.piece(f"{what}, {len(change.data)} bytes", len(change.data)))
            elif fate.keeps(what):
                _apply(content, change, None)
        return bytes(content)

    def _rename(self, operation: Operation, names: list[tuple[_Place, int | None]], nodes: set[int]) -> None:
        what = f"{operation.verb} {operation.path}" + (f" to {operation.to}" if operation.to else "")
        change = _NameChange(what, names, nodes, {folder for (folder, _), _ in names})
        _rename_in(self._now, change)
        self._waiting.append(change)

    def _sync_folder(self, folder: int) -> None:
        durable: list[_NameChange] = []
        touched: set[object] = set()
        for change in reversed(self._waiting):
            if folder in change.folders or not touched.isdisjoint(change.touches):
                touched |= change.touches
                durable.append(change)
        for change in reversed(durable):
            _rename_in(self._durable, change)
            self._waiting.remove(change)

    def _file(self, operation: Operation) -> _File:
        try:
            return self._files[self._node(operation.path)]
        except KeyError:
            return self._files[self._opened_as[operation.path]]

    def _node(self, path: str) -> int:
        node = _ROOT
        for name in PurePosixPath(path).parts:
            node = self._now[node, name]
        return node

    def _place(self, path: str) -> _Place:
        place = PurePosixPath(path)
        return self._node(str(place.parent)), place.name


class _All:
    def keeps(self, _what: str) -> bool:
        return True

    def piece(self, _what: str, size: int) -> Piece:
        return Piece(size, size, size)


_ALL = _All()


def _rename_in(names: dict[_Place, int], change: _NameChange) -> None:
    for place, node in change.names:
        if node is None:
            names.pop(place, None)
        else:
            names[place] = node


def _walk(names: Mapping[_Place, int]) -> Iterator[tuple[str, int]]:
    """All paths that lead to something; a folder whose own name was lost hides what is in it."""
    children: dict[int, list[tuple[str, int]]] = {}
    for (folder, name), node in names.items():
        children.setdefault(folder, []).append((name, node))
    waiting = [("", _ROOT)]
    while waiting:
        above, folder = waiting.pop()
        for name, node in sorted(children.get(folder, [])):
            path = f"{above}{name}"
            yield path, node
            waiting.append((f"{path}/", node))


def _apply(content: bytearray, change: _ContentChange, piece: Piece | None) -> None:
    if change.verb == "truncate":
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    size = len(change.data)
    piece = piece or Piece(size, size, size)
    if piece.end == 0:
        return
    filler = (b"\xa5" if piece.noise else b"\0") * (piece.filler_end - piece.kept)
    data = change.data[: piece.kept] + filler + change.data[piece.filler_end : piece.end]
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(data)] = data
