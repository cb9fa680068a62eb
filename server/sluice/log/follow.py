"""Follows a log while it is written: what `sluice tail` shows. Reads, and does nothing else: no lock, no change.

    taken up       each segment below open/ and sealed/, by its id, once; its descriptor then stays open, so that its
                   sealing, and its removal when it is in the lake, change nothing
    let go         when it is read to its end, and no longer below open/
    passed over    what waits beyond MAX_BEHIND_BYTES: whoever follows has fallen behind, and goes on with the newest
    not seen       a segment that is begun, sealed, published and removed between two looks: only a file of the lake
                   still names it. `knows` tells which were seen

A record is seen when it is in the file. Its fdatasync may still be going on: if that fails, it was seen and yet is cut
off again, and its sender was answered 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from sluice import disk
from sluice.log.growing import GrowingSegment, PassedOver
from sluice.log.in_time import in_time
from sluice.log.ports import Damage, DamageReason, StoredRecord
from sluice.log.record import decode
from sluice.log.segment import Folders, begun_at, parse_id, parse_sealed, sealed_name
from sluice.storage.v1 import log_record_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sluice.log.ports import Sealed

__all__ = ["MAX_BEHIND_BYTES", "Followed", "Follower", "FollowerOf", "Look", "Missed", "Spoiled"]

_RecordT = TypeVar("_RecordT", bound=StoredRecord)

# What may wait to be read; beyond it, all but the newest quarter is passed over.
MAX_BEHIND_BYTES = 64 * 1024 * 1024

# Of all segments together in one look; ten looks a second read 40 MiB.
_LOOK_BYTES = 4 * 1024 * 1024
_LEAST_SHARE_BYTES = 64 * 1024

# Of each segment whose past is read.
_PAST_CHUNK_BYTES = 256 * 1024

# Descriptors: below the usual limit of 1,024 of a process.
_MAX_HELD = 512

_MAX_KNOWN = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed(Generic[_RecordT]):
    """A record that came.

    Attributes:
        segment: the id of its segment.
        offset: where it begins there, in bytes.
        record: the record.
    """

    segment: str
    offset: int
    record: _RecordT


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiled:
    """A stretch that is no record.

    Attributes:
        segment: the id of its segment.
        damage: what is wrong with it.
    """

    segment: str
    damage: Damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A sealed segment that was removed before it was read: it is in the lake.

    Attributes:
        segment: what its name said.
    """

    segment: Sealed


_Part: TypeAlias = "tuple[int, _RecordT] | Damage"
Past: TypeAlias = "Followed[_RecordT] | Spoiled | Missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[_RecordT]):
    """What came since the last look.

    Attributes:
        records: in the order of their receipt.
        spoiled: stretches that are no records.
        passed_over: what was not read.
    """

    records: list[Followed[_RecordT]]
    spoiled: list[Spoiled]
    passed_over: PassedOver


class FollowerOf(Generic[_RecordT]):
    """Reads a log as it grows. First `begin`; then, by choice, `past`; then `look` again and again.

    Args:
        folder: the log's.
        decode: reads the payload of a frame.
    """

    def __init__(self, folder: Path, decode: Callable[[bytes], _RecordT | DamageReason]) -> None:
        self._folders = Folders(folder)
        self._decode = decode
        self._held: dict[str, GrowingSegment[_RecordT]] = {}
        self._known: dict[str, None] = {}
        self._sealed_names: frozenset[str] = frozenset()
        self._stock_open: dict[str, int] = {}
        self._stock_sealed: list[Sealed] = []
        self._passed_over = PassedOver()

    def begin(self) -> None:
        """Take stock: what is in the log now is its past, and is not what `look` finds.

        Raises:
            OSError: a folder or a file can't be read.
        """
        self._take_up_open()
        self._stock_sealed = self._new_sealed()
        self._stock_open = {segment.id: segment.size_bytes() for segment in self._held.values()}
        for segment in self._stock_sealed:
            self._remember(segment.id)

    @property
    def goes_back_to(self) -> float | None:
        """When the oldest segment of the past was begun, in seconds since the epoch; None: there is no past."""
        return min((begun_at(id_) for id_ in (*self._stock_open, *(s.id for s in self._stock_sealed))), default=None)

    def past(self, *, since_us: int = 0) -> Iterator[Past[_RecordT]]:
        """Go through what was in the log at `begin`, in the order of receipt, before the first `look`.

        Args:
            since_us: only what was received from then on, in microseconds since the epoch.

        Raises:
            OSError: a file can't be read.
        """
        streams = [
            (_begun_us(segment_id), _dated(segment_id, self._past_of_open(self._held[segment_id], end)))
            for segment_id, end in self._stock_open.items()
        ]
        streams += [(_begun_us(segment.id), self._past_of_sealed(segment, since_us)) for segment in self._stock_sealed]
        self._stock_open, self._stock_sealed = {}, []
        for found in in_time(streams):
            if not isinstance(found, Followed) or found.record.received_at_us >= since_us:
                yield found

    def look(self) -> Look[_RecordT]:
        """What came since `begin`, or since the last look.

        Raises:
            OSError: a folder or a file can't be read.
        """
        self._leave_past()
        opened = self._take_up_open()
        self._take_up_sealed()
        unread = {segment.id: size for segment in self._held.values() if (size := segment.unread_bytes())}
        if sum(unread.values()) > MAX_BEHIND_BYTES:
            self._jump(unread)
        share = max(_LEAST_SHARE_BYTES, _LOOK_BYTES // max(1, len(unread)))
        records: list[Followed[_RecordT]] = []
        spoiled: list[Spoiled] = []
        for segment in list(self._held.values()):
            is_final = segment.id not in opened
            for part in segment.read(share, is_final=is_final):
                found = _named(segment.id, part)
                if isinstance(found, Followed):
                    records.append(found)
                else:
                    spoiled.append(found)
            if is_final and not segment.unread_bytes():
                self._let_go(segment)
        records.sort(key=lambda found: found.record.received_at_us)
        return Look(records=records, spoiled=spoiled, passed_over=self._passed_over.take())

    def take_passed_over(self) -> PassedOver:
        """What of the past was not read, as too large; what `look` passes over, it tells itself."""
        return self._passed_over.take()

    def knows(self, segment_id: str) -> bool:
        """Whether a segment was there at `begin` or at any look since. The latest 65,536 are remembered."""
        return segment_id in self._known

    def close(self) -> None:
        """Give all descriptors back."""
        for segment in list(self._held.values()):
            self._let_go(segment)

    def _take_up_open(self) -> set[str]:
        """Take up what is new below open/; return all that is there."""
        opened = {name for name in disk.file_names(self._folders.open) if parse_id(name)}
        for name in sorted(opened - self._held.keys()):
            try:
                file = disk.open_read(self._folders.open / name)
            except FileNotFoundError:
                continue  # sealed since; it is found there
            self._hold(GrowingSegment(name, file, self._passed_over, decode=self._decode))
        return opened

    def _new_sealed(self) -> list[Sealed]:
        """What is new below sealed/ and was not taken up before, the oldest first."""
        names = frozenset(disk.file_names(self._folders.sealed))
        found = (parse_sealed(name) for name in names - self._sealed_names)
        self._sealed_names = names
        return sorted(segment for segment in found if segment and segment.id not in self._known)

    def _take_up_sealed(self) -> None:
        new = self._new_sealed()
        too_many = max(0, len(self._held) + len(new) - _MAX_HELD)
        for segment in new[:too_many]:
            self._remember(segment.id)
            self._passed_over.add(segment.records, segment.size_bytes)
        for segment in new[too_many:]:
            try:
                file = disk.open_read(self._folders.sealed / sealed_name(segment))
            except FileNotFoundError:
                continue  # it was removed since, without being seen
            self._hold(self._growing(segment, file))

    def _jump(self, unread: dict[str, int]) -> None:
        keep = MAX_BEHIND_BYTES // 4 // len(unread)
        for segment_id, unread_bytes in unread.items():
            if unread_bytes > keep:
                segment = self._held[segment_id]
                segment.pass_over(segment.size_bytes() - keep)

    def _leave_past(self) -> None:
        """Pass over what was there at `begin` and was not gone through."""
        for segment_id, end in self._stock_open.items():
            self._held[segment_id].pass_over(end)
        if self._stock_open:
            self._passed_over.take()
        self._stock_open, self._stock_sealed = {}, []

    def _past_of_open(self, segment: GrowingSegment[_RecordT], end: int) -> Iterator[_Part[_RecordT]]:
        while segment.has_news(end):
            yield from segment.read(_PAST_CHUNK_BYTES, is_final=False, end=end)

    def _past_of_sealed(self, sealed: Sealed, since_us: int) -> Iterator[tuple[int, Past[_RecordT]]]:
        path = self._folders.sealed / sealed_name(sealed)
        identity = disk.identity(path)
        if identity is not None and identity.written_ns // 1000 < since_us:
            return  # written to for the last time before
        try:
            file = disk.open_read(path)
        except FileNotFoundError:
            yield _begun_us(sealed.id), Missed(segment=sealed)
            return
        segment = self._growing(sealed, file)
        try:
            yield from _dated(segment.id, _all_parts(segment))
        finally:
            segment.close()

    def _growing(self, sealed: Sealed, file: disk.File) -> GrowingSegment[_RecordT]:
        return GrowingSegment(sealed.id, file, self._passed_over, decode=self._decode, sealed=sealed)

    def _hold(self, segment: GrowingSegment[_RecordT]) -> None:
        self._held[segment.id] = segment
        self._remember(segment.id)

    def _let_go(self, segment: GrowingSegment[_RecordT]) -> None:
        segment.close()
        del self._held[segment.id]

    def _remember(self, segment_id: str) -> None:
        self._known[segment_id] = None
        if len(self._known) > _MAX_KNOWN:
            del self._known[next(iter(self._known))]


class Follower(FollowerOf[pb.LogRecord]):
    """Follows the log of accepted requests.

    Args:
        folder: the log's, `log/` of the data folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, decode)


def _named(segment_id: str, part: _Part[_RecordT]) -> Followed[_RecordT] | Spoiled:
    if isinstance(part, Damage):
        return Spoiled(segment=segment_id, damage=part)
    return Followed(segment=segment_id, offset=part[0], record=part[1])


def _all_parts(sealed: GrowingSegment[_RecordT]) -> Iterator[_Part[_RecordT]]:
    while sealed.unread_bytes():
        yield from sealed.read(_PAST_CHUNK_BYTES, is_final=True)


def _dated(segment_id: str, parts: Iterator[_Part[_RecordT]]) -> Iterator[tuple[int, Past[_RecordT]]]:
    """Each with when it was received; damage with when the record before it was."""
    time_us = _begun_us(segment_id)
    for part in parts:
        found = _named(segment_id, part)
        if isinstance(found, Followed):
            time_us = found.record.received_at_us
        yield time_us, found


def _begun_us(segment_id: str) -> int:
    return int(begun_at(segment_id) * 1_000_000)
