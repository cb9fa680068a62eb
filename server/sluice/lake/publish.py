"""Segments into one file of the lake, step by step, so that a crash before any of them loses and doubles nothing.

    write         decode the segments into a file in lake/.staging/; what can't be decoded is set aside
    sync          the file's content is durable
    make_folders  the folder of its hour exists
    move          it gets its final name, which no file may have
    sync_folder   its name is durable
    sync_parents  so are the names of the folders above, up to the data folder
    let_go        the segments are removed, or archived by setting

Rename before removal: after a crash between them the file names its segments, which are then let go and not decoded
again; the other order loses them. The parents are synced once per process and hour, whether this process made the
folders or not: a killed predecessor may have made them.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from sluice import disk
from sluice.lake.failing import failing
from sluice.lake.metrics import Failure
from sluice.lake.partition import file_name, folder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sluice.lake.load import Loaded
    from sluice.lake.published import Published
    from sluice.lake.staging import Staging
    from sluice.lake.written_tables import WrittenTable
    from sluice.log.ports import Sealed

__all__ = ["STEPS", "Lake", "Publication", "let_go_of_published", "publish"]


@dataclass(slots=True, kw_only=True)
class Lake:
    """Where files are published.

    Attributes:
        data_dir: the data folder, up to which folders are synced.
        table: the table's folder.
        source: where the table's rows come from.
        staging: where files are written.
        published: what is already in the lake.
        synced: folders whose names are known to be durable, up to the data folder.
    """

    data_dir: Path
    table: Path
    source: WrittenTable
    staging: Staging
    published: Published
    synced: set[Path] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Publication:
    """One file on its way into the lake.

    Attributes:
        segments: what goes into it, all of one hour; never empty.
        staged: its path while it is written.
        target: its final path.
        file: the staged file, from its creation until it is durable.
        loaded: what was written.
        size_bytes: the file's size.
        seconds: wall-clock time by step.
    """

    segments: Sequence[Sealed]
    staged: Path
    target: Path
    file: disk.File | None = None
    loaded: Loaded | None = None
    size_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def _write(publication: Publication, lake: Lake) -> None:
    lake.staging.take_in_hand([segment.id for segment in publication.segments])
    disk.unlink(publication.staged)
    publication.file = file = disk.create(publication.staged)
    publication.loaded = lake.source.load(publication.segments, file)
    publication.size_bytes = file.size()
    if publication.loaded.rows == 0:
        disk.unlink(publication.staged)
    lake.staging.put_down()


def _sync(publication: Publication, _lake: Lake) -> None:
    assert publication.file is not None
    publication.file.sync()


def _make_folders(publication: Publication, lake: Lake) -> None:
    folder = publication.target.parent
    if not disk.exists(folder):
        lake.synced.discard(folder)  # whoever keeps a lake small may remove it, and its date's, at any time
        disk.make_folders(folder)


def _move(publication: Publication, lake: Lake) -> None:
    assert publication.file is not None
    if not publication.file.still_at(publication.staged):
        raise FileNotFoundError(errno.ENOENT, "not the file that was written", str(publication.staged))
    disk.move_new(publication.staged, publication.target)
    first = publication.segments[0]
    lake.published.add(first.hour, [segment.id for segment in publication.segments])


def _sync_folder(publication: Publication, _lake: Lake) -> None:
    disk.sync_folder(publication.target.parent)


def _sync_parents(publication: Publication, lake: Lake) -> None:
    folder = publication.target.parent
    if folder not in lake.synced:
        disk.sync_folders_up_to(folder.parent, lake.data_dir)
        lake.synced.add(folder)


def _let_go(publication: Publication, lake: Lake) -> None:
    lake.source.log.done(publication.segments)


STEPS: dict[str, Callable[[Publication, Lake], None]] = {
    "write": _write,
    "sync": _sync,
    "make_folders": _make_folders,
    "move": _move,
    "sync_folder": _sync_folder,
    "sync_parents": _sync_parents,
    "let_go": _let_go,
}
# A file without rows is not published: all its records were set aside.
_STEPS_WITHOUT_ROWS = ("let_go",)


def publish(segments: Sequence[Sealed], lake: Lake) -> Publication:
    """Make one file of segments that no file holds yet, and let them go.

    Args:
        segments: of one hour, oldest first; never empty.
        lake: where to.

    Raises:
        SegmentUnreadable: one of them can't be read.
        PublishFailed: a step failed. Nothing is lost; what is published must be read anew (`Published.forget`).
    """
    first = segments[0]
    publication = Publication(
        segments=segments,
        staged=lake.staging.path_of(first.id),
        target=folder_of(lake.table, first.hour) / file_name(first.id),
    )
    try:
        for name, step in STEPS.items():
            if publication.loaded is not None and publication.loaded.rows == 0 and name not in _STEPS_WITHOUT_ROWS:
                continue
            began = perf_counter()
            with failing(Failure(name)):
                step(publication, lake)
            publication.seconds[name] = perf_counter() - began
    finally:
        if publication.file is not None:
            publication.file.close()
    return publication


def let_go_of_published(segments: Sequence[Sealed], lake: Lake) -> None:
    """Let go of segments of one hour that its files already hold, without decoding them again.

    They are left from a crash, or came back with a disk that lost its last changes. The names of the file and of its
    folders are made durable once more: whoever moved the file may not have come to it.

    Raises:
        PublishFailed: a step failed.
    """
    folder = folder_of(lake.table, segments[0].hour)
    with failing(Failure.SYNC_FOLDER):
        disk.sync_folder(folder)
    with failing(Failure.SYNC_PARENTS):
        disk.sync_folders_up_to(folder.parent, lake.data_dir)
    with failing(Failure.LET_GO):
        lake.source.log.done(segments)
