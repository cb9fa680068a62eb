"""Local segments as the lake reads them: the oldest sealed one first, record by record, until they are done with.

Nothing here changes a sealed segment: it is read, and then it goes as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from sluice import disk
from sluice.framing import BrokenBy, Frame, scan
from sluice.log.ports import Damage, DamageReason, StoredRecord
from sluice.log.record import FORMAT_VERSION, decode
from sluice.log.record_in_place import StoredRequest, decode_in_place
from sluice.log.segment import Folders, parse_sealed, sealed_name
from sluice.log.set_aside import keep_stretch, move_whole
from sluice.log.windows import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sluice.framing import Stretch
    from sluice.log.ports import Sealed
    from sluice.log.windows import Placed
    from sluice.storage.v1 import log_record_pb2 as pb

__all__ = ["LocalSegments", "SegmentsOf", "parts_in", "record_or_damage", "records_in"]

_BROKEN = {BrokenBy.LENGTH: DamageReason.BROKEN_LENGTH, BrokenBy.PAYLOAD: DamageReason.BROKEN_PAYLOAD}

_WHY = {
    DamageReason.BROKEN_LENGTH: "the length's checksum doesn't fit",
    DamageReason.BROKEN_PAYLOAD: "the payload's checksum doesn't fit, or its end is missing",
    DamageReason.NOT_A_RECORD: "checksums fit, but the payload is no record",
    DamageReason.REPEATED_REQUEST: "a record before it in this segment is of the same request",
    DamageReason.UNKNOWN_VERSION: f"written by a later version; this one reads format version {FORMAT_VERSION}",
}


_RecordT = TypeVar("_RecordT", bound=StoredRecord)


class SegmentsOf(Generic[_RecordT]):
    """The segments below sealed/ of one log; see `sluice.log.ports.SealedSegments`.

    Args:
        folder: the log's.
        decode: reads the payload of a frame.
        archive: whether segments that are done with are kept below archive/.
    """

    def __init__(self, folder: Path, decode: Callable[[bytes], _RecordT | DamageReason], *, archive: bool) -> None:
        self._folders = Folders(folder)
        self._decode = decode
        self._archive = archive

    def waiting(self) -> list[Sealed]:
        """All sealed segments, oldest hour first. What is none of the log's is passed over."""
        self._folders.check()
        return sorted(s for name in disk.file_names(self._folders.sealed) if (s := parse_sealed(name)))

    def read(self, segment: Sealed) -> Iterator[tuple[int, _RecordT] | Damage]:
        """Go through a segment in its order: each whole record with its offset, and each damaged stretch.

        A seal that says more than the file has is the last damage, MISSING_END. Nothing is raised for what is in the
        file; OSError where it can't be read.
        """
        with disk.open_whole(self._path(segment)) as file:
            size = min(file.size(), segment.size_bytes)
            yield from _found(parts_of(file, size), size, sealed=segment, decode=self._decode)
            file.seek(segment.size_bytes)
            yield from _behind_seal(file.readall(), segment)

    def set_aside(self, segment: Sealed, damages: Sequence[Damage]) -> None:
        """Keep damaged stretches with a report each below damaged/, durably. Idempotent."""
        for damage in damages:
            keep_stretch(self._folders, segment, damage)

    def set_aside_whole(self, segment: Sealed, reason: DamageReason, detail: str) -> None:
        """Move a segment to damaged/ as it is, with a report, durably. Idempotent."""
        move_whole(self._folders, self._path(segment), segment, reason, detail)

    def done(self, segments: Sequence[Sealed]) -> None:
        """Remove or archive segments, durably. Those that are gone already are passed over.

        Raises:
            OSError: some could not be let go of; the others are gone.
        """
        if not segments:
            return
        if self._archive:
            self._folders.make_again(self._folders.archive)
        error: OSError | None = None
        for segment in segments:
            try:
                self._let_go(segment)
            except OSError as exc:
                error = error or exc
        if self._archive:
            disk.sync_folder(self._folders.archive)
        disk.sync_folder(self._folders.sealed)
        if error is not None:
            raise error

    def _let_go(self, segment: Sealed) -> None:
        source, target = self._path(segment), self._folders.archive / sealed_name(segment)
        # One that is archived already came back, by a crash or a restored backup.
        if not self._archive or disk.exists(target):
            disk.unlink(source)
        elif disk.exists(source):
            disk.move_new(source, target)

    def _path(self, segment: Sealed) -> Path:
        return self._folders.sealed / sealed_name(segment)


class LocalSegments(SegmentsOf[StoredRequest]):
    """The segments of accepted requests.

    Args:
        folder: the log's, `log/` of the data folder.
        archive: whether segments that are done with are kept below log/archive/.
    """

    def __init__(self, folder: Path, archive: bool = False) -> None:
        super().__init__(folder, decode_in_place, archive=archive)


def records_in(content: bytes, *, sealed: Sealed | None) -> Iterator[tuple[int, pb.LogRecord] | Damage]:
    """As `parts_in`, of the records of accepted requests."""
    return parts_in(content, sealed=sealed, decode=decode)


def parts_in(
    content: bytes, *, sealed: Sealed | None, decode: Callable[[bytes], _RecordT | DamageReason]
) -> Iterator[tuple[int, _RecordT] | Damage]:
    """Go through a segment's bytes: each whole record with its offset, and each damaged stretch.

    Args:
        content: all bytes of the file.
        sealed: what its name says it has; None for one that has no seal yet.
        decode: reads the payload of a frame.
    """
    sealed_bytes = content[: sealed.size_bytes] if sealed else content
    parts = ((part, sealed_bytes, 0) for part in scan(sealed_bytes))
    yield from _found(parts, len(sealed_bytes), sealed=sealed, decode=decode)
    if sealed:
        yield from _behind_seal(content[sealed.size_bytes :], sealed)


def _found(
    parts: Iterable[Placed], size: int, *, sealed: Sealed | None, decode: Callable[[bytes], _RecordT | DamageReason]
) -> Iterator[tuple[int, _RecordT] | Damage]:
    """What the parts of a segment of that size are, and what is missing at its end."""
    frames = damages = 0
    requests: set[bytes] = set()
    for part, buffer, base in parts:
        found = record_or_damage(part, buffer, base=base, decode=decode)
        if isinstance(part, Frame):
            frames += 1
            if not isinstance(found, Damage):
                # A disk that wrote a record twice must not bring its request to the lake twice.
                request_id = found[1].request_id
                if request_id in requests:
                    found = _damage(part, buffer, DamageReason.REPEATED_REQUEST, base=base)
                else:
                    requests.add(request_id)
        damages += isinstance(found, Damage)
        yield found
    if sealed and (size < sealed.size_bytes or (frames < sealed.records and not damages)):
        detail = f"sealed with {sealed.records} records, {sealed.size_bytes} bytes; has {frames}, {size} bytes"
        yield Damage(offset=size, data=b"", reason=DamageReason.MISSING_END, detail=detail)


def _behind_seal(content: bytes, sealed: Sealed) -> Iterator[Damage]:
    if content:
        detail = f"{len(content)} bytes behind the end that the seal names"
        yield Damage(offset=sealed.size_bytes, data=content, reason=DamageReason.NOT_A_RECORD, detail=detail)


def record_or_damage(
    part: Frame | Stretch, buffer: bytes, *, base: int = 0, decode: Callable[[bytes], _RecordT | DamageReason]
) -> tuple[int, _RecordT] | Damage:
    """What a part of a buffer is: a record with its offset in the segment, or damage.

    Args:
        part: as `scan` found it.
        buffer: what was scanned.
        base: where in the segment the buffer begins.
        decode: reads the payload of a frame.
    """
    if isinstance(part, Frame):
        record = decode(part.payload)
        if not isinstance(record, DamageReason):
            return base + part.offset, record
        reason = record
    else:
        reason = _BROKEN[part.broken_by]
    return _damage(part, buffer, reason, base=base)


def _damage(part: Frame | Stretch, buffer: bytes, reason: DamageReason, *, base: int = 0) -> Damage:
    data = buffer[part.offset : part.end]
    return Damage(offset=base + part.offset, data=data, reason=reason, detail=_WHY[reason])
