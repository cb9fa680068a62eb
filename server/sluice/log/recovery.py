"""Takes the segments that dead writers left below open/, and seals them.

It runs before the first writer starts, and again after a writer's death. Twice is the same as once, and a crash at any
step leaves everything to a second run.

    what may be found below open/              what is done
    a segment whose lock is held               left: its writer lives
    a name that leads elsewhere once locked    left: somebody else has finished it
    whole records to the end                   sealed
    whole records, then a torn tail or zeros   cut before the tail, with a WARNING; sealed
    damage, amid whole records or at the end   sealed as it is: the damage is set aside when it is read
    nothing but a torn tail                    removed, with a WARNING if it wasn't empty
    an id that sealed/ has too, the same file  the name below open/ is removed
    an id that sealed/ has too, another file   moved to damaged/, with an ERROR: an id is sealed only once
    a segment that can't be read or changed    left, with an ERROR; the others go on; the supervisor tries again
    a probe of a writer                        left: the node's next writer removes it
    a folder that has a probe's name           moved aside, with a WARNING: no writer could begin
    what is staged to be put into damaged/     left: who sets the same aside again removes it
    any other name, and what is no file        left, with a WARNING; in each of the log's folders

A torn tail holds nothing that was acknowledged: a record is acknowledged when all of it is durable. What is torn, and
what is damage at the end: torn_tail.py. No event's content is looked at; a record that can't be read as one is the
reader's to set aside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice import disk
from sluice.log.foreign import leave_foreign
from sluice.log.metrics import ACCEPTED, Figures
from sluice.log.ports import DamageReason, Sealed
from sluice.log.sealing import SealReason
from sluice.log.segment import Folders, SegmentId, is_probe, parse_damaged, parse_id, parse_sealed, sealed_name
from sluice.log.set_aside import move_whole
from sluice.log.torn_tail import ending_of
from sluice.outage import hint_of
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["RecoveryReport", "recover"]

_messages = messages_of("log")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What was found below open/, and in the names of the other folders.

    Attributes:
        sealed: segments that were sealed, in the order of their names.
        cut_bytes: of all torn tails together, also of those that were all of a segment.
        removed: ids of segments that held nothing but a torn tail, and of names that a sealed file had too.
        set_aside: ids of segments that were moved to damaged/.
        in_use: ids of segments whose writer lives.
        failed: ids of segments that the disk wouldn't let go on with.
        foreign: names that are none of the log's, with their folder.
    """

    sealed: tuple[Sealed, ...]
    cut_bytes: int
    removed: tuple[str, ...]
    set_aside: tuple[str, ...]
    in_use: tuple[str, ...]
    failed: tuple[str, ...]
    foreign: tuple[str, ...]


def recover(folder: Path, *, before: RecoveryReport | None = None, figures: Figures = ACCEPTED) -> RecoveryReport:
    """Seal, or remove, all open segments below `folder` that no living writer holds. See the head of this module.

    Args:
        folder: the log's.
        before: what an earlier run of this process came to: what it could not do, and files that are not the log's, are
            not told again.
        figures: where it counts what it sealed.

    Raises:
        OSError: the log's folders can't be made, listed or synced.
    """
    folders = Folders(folder)
    folders.make()
    found = _Found(figures=figures, told=frozenset((*before.failed, *before.foreign)) if before else frozenset())
    _look_for_foreign_names(folders, found)
    sealed = {segment.id: segment for name in disk.file_names(folders.sealed) if (segment := parse_sealed(name))}
    for name in disk.file_names(folders.open):
        if segment_id := parse_id(name):
            _recover_segment(folders, segment_id, sealed.get(name), found)
    # Also when nothing was found: whoever sealed before may have died between the rename and these.
    disk.sync_folder(folders.sealed)
    disk.sync_folder(folders.open)
    return found.report()


@dataclass(slots=True)
class _Found:
    figures: Figures
    told: frozenset[str]
    sealed: list[Sealed] = field(default_factory=list)
    cut_bytes: int = 0
    removed: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    in_use: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def report(self) -> RecoveryReport:
        return RecoveryReport(
            sealed=tuple(self.sealed),
            cut_bytes=self.cut_bytes,
            removed=tuple(self.removed),
            set_aside=tuple(self.set_aside),
            in_use=tuple(self.in_use),
            failed=tuple(self.failed),
            foreign=tuple(self.foreign),
        )


def _look_for_foreign_names(folders: Folders, found: _Found) -> None:
    known: list[tuple[Path, Callable[[str], object]]] = [
        (folders.open, lambda name: parse_id(name) or is_probe(name)),
        (folders.sealed, parse_sealed),
        (folders.archive, parse_sealed),
        (folders.damaged, lambda name: parse_damaged(disk.staged_for(name) or name)),
    ]
    for folder, parse in known:
        try:
            kinds = disk.entries_by_kind(folder)
        except NotADirectoryError:  # archive/, which the log may do without
            _tell_foreign(folder, folders, found)
            continue
        for name, is_file in kinds.items():
            if not (is_file and parse(name)):
                _tell_foreign(folder / name, folders, found)


def _tell_foreign(path: Path, folders: Folders, found: _Found) -> None:
    found.foreign.append(foreign := str(path.relative_to(folders.log)))
    if foreign in found.told:
        return
    is_in_the_way = path.parent == folders.open and is_probe(path.name)
    leave_foreign(path, _messages, room="log", is_in_the_way=is_in_the_way)


def _recover_segment(folders: Folders, segment: SegmentId, twin: Sealed | None, found: _Found) -> None:
    path = folders.open / segment.text
    try:
        with disk.append_to(path) as file:
            if not file.try_lock():
                found.in_use.append(segment.text)
            elif not file.still_at(path):
                return
            elif twin is not None and file.still_at(folders.sealed / sealed_name(twin)):
                disk.unlink(path)
                found.removed.append(segment.text)
            else:
                _finish(folders, segment, file, found, id_taken=twin is not None)
    except FileNotFoundError:
        return  # its writer sealed it since the folder was listed
    except OSError as exc:
        found.failed.append(segment.text)
        if segment.text not in found.told:
            _messages.error(
                "segment can't be recovered",
                segment=segment.text,
                error=exc.strerror,
                path=str(path),
                hint=hint_of(exc, path),
            )


def _finish(folders: Folders, segment: SegmentId, file: disk.File, found: _Found, *, id_taken: bool) -> None:
    path = folders.open / segment.text
    content = disk.read_bytes(path)
    ending = ending_of(content)
    torn_bytes = len(content) - ending.end
    if torn_bytes:
        _messages.warning("torn tail of a segment", segment=segment.text, records=ending.records, cut_bytes=torn_bytes)
    sealed = Sealed(hour=segment.hour, id=segment.text, records=ending.records, size_bytes=ending.end)
    if not ending.end:
        disk.unlink(path)
        found.removed.append(segment.text)
        found.cut_bytes += torn_bytes
        return
    if torn_bytes:
        file.cut(ending.end)
        found.cut_bytes += torn_bytes
    file.sync()
    if id_taken:
        move_whole(folders, path, sealed, DamageReason.ID_TAKEN, "sealed/ has another segment of this id")
        found.set_aside.append(segment.text)
    else:
        disk.move_new(path, folders.sealed / sealed_name(sealed))
        found.sealed.append(sealed)
        found.figures.sealed_segments.labels(SealReason.RECOVERED.value).inc()
        _messages.info("segment recovered", segment=segment.text, records=ending.records, cut_bytes=torn_bytes)
