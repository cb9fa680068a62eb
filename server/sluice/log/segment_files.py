"""The files of a log, whichever folders they are in: for whoever looks at them while they go their way.

A segment goes from open/ to sealed/ and from there to the lake, or to archive/. What was in one folder when that was
listed may be in the next by the time it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sluice import disk
from sluice.log.segment import REPORT_SUFFIX, Folders, State, parse_damaged, parse_id, parse_sealed, sealed_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.log.ports import Sealed

__all__ = ["SegmentFile", "damaged_files", "read_where_it_is", "segment_files"]

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFile:
    """A segment's file, or that of a stretch of one that was set aside.

    Attributes:
        state: by the folder that it was found in.
        path: where it was found.
        id: the segment's.
        sealed: what its name says it holds; None for an open one, and for a stretch.
        locked: whether a living writer holds it.
        offset: where in the segment a stretch begins; None for a segment.
        reason: why it is in damaged/, else "".
        is_report: there are no bytes, only a report of bytes that are missing.
    """

    state: State
    path: Path
    id: str
    sealed: Sealed | None
    locked: bool = False
    offset: int | None = None
    reason: str = ""
    is_report: bool = False


def segment_files(folder: Path) -> list[SegmentFile]:
    """All segments of a log, each once: archived, sealed and open ones, the oldest of each first.

    Args:
        folder: the log's, `log/` of the data folder.
    """
    folders = Folders(folder)
    # Open ones first: one that is sealed meanwhile is then seen twice, not missed.
    opened = [name for name in disk.file_names(folders.open) if parse_id(name)]
    final = _with_seal(State.ARCHIVED, folders.archive) + _with_seal(State.SEALED, folders.sealed)
    sealed_meanwhile = {segment.id for segment in final}
    locked = disk.locked_files()
    return final + [
        SegmentFile(state=State.OPEN, path=path, id=path.name, sealed=None, locked=_inode(path) in locked)
        for path in (folders.open / name for name in opened if name not in sealed_meanwhile)
    ]


def damaged_files(folder: Path) -> list[SegmentFile]:
    """What was set aside, without the reports beside it; where bytes are missing the report itself.

    Args:
        folder: the log's, `log/` of the data folder.
    """
    damaged = Folders(folder).damaged
    names = disk.file_names(damaged)
    kept = frozenset(names)
    return [
        SegmentFile(
            state=State.DAMAGED,
            path=damaged / name,
            id=parsed.id.text,
            sealed=parse_sealed(name.removesuffix(REPORT_SUFFIX).removesuffix(f".{parsed.reason.value}"))
            if parsed.offset is None
            else None,
            offset=parsed.offset,
            reason=parsed.reason.value,
            is_report=parsed.is_report,
        )
        for name in names
        if (parsed := parse_damaged(name)) and not (parsed.is_report and name.removesuffix(REPORT_SUFFIX) in kept)
    ]


def read_where_it_is(segment: SegmentFile, read: Callable[[Path], _Read]) -> _Read | None:
    """What `read` makes of a segment's file; None if it is gone since the folder was listed.

    An open one that was sealed since is read at its new place.
    """
    try:
        return read(segment.path)
    except FileNotFoundError:
        return _read_once_sealed(segment, read)


def _read_once_sealed(segment: SegmentFile, read: Callable[[Path], _Read]) -> _Read | None:
    sealed = segment.path.parents[1] / State.SEALED.value
    for name in disk.file_names(sealed):
        if name.startswith(f"{segment.id}."):
            try:
                return read(sealed / name)
            except FileNotFoundError:
                return None  # the lake is done with it, too
    return None


def _with_seal(state: State, folder: Path) -> list[SegmentFile]:
    try:
        names = disk.file_names(folder)
    except NotADirectoryError:
        return []  # recovery tells of it
    segments = sorted(sealed for name in names if (sealed := parse_sealed(name)))
    return [
        SegmentFile(state=state, path=folder / sealed_name(sealed), id=sealed.id, sealed=sealed) for sealed in segments
    ]


def _inode(path: Path) -> int | None:
    identity = disk.identity(path)
    return identity.inode if identity else None
