"""Sealed segments read, decoded and written to one staged file; what can't be decoded is set aside.

Which table, and how records become its rows: written_tables.py.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING, Generic, TypeVar

from sluice.errors import SluiceError
from sluice.framing import frame
from sluice.lake.failing import failing
from sluice.lake.metrics import Failure
from sluice.lake.parquet import FileRows, SegmentRows
from sluice.log.ids import request_id_text
from sluice.log.ports import Damage, DamageReason, StoredRecord
from sluice.outage import hint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sluice.disk import File
    from sluice.lake.decode import Rows
    from sluice.lake.parquet import Layout
    from sluice.log.ports import Sealed, SealedSegments

__all__ = ["Loaded", "Recipe", "SegmentUnreadable", "load"]

_RecordT = TypeVar("_RecordT", bound=StoredRecord)


# No descriptors or memory left.
_OF_THE_PROCESS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class SegmentUnreadable(SluiceError):
    """The disk doesn't give a segment back.

    Attributes:
        segment: the segment.
        is_its_own: whether other segments may well be read.
    """

    def __init__(self, segment: Sealed, error: OSError) -> None:
        where = error.filename or segment.id
        super().__init__(f"segment {segment.id} can't be read: {error.strerror}: {where}", hint=hint_of(error, where))
        self.segment = segment
        self.is_its_own = error.errno not in _OF_THE_PROCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What went into a file.

    Attributes:
        rows: how many rows it has.
        segments: what it names in its metadata.
        decode_s: CPU seconds of reading and decoding.
        encode_s: CPU seconds of writing Parquet.
    """

    rows: int
    segments: tuple[SegmentRows, ...]
    decode_s: float
    encode_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Generic[_RecordT]):
    """How the records of a log become the rows of a table.

    Attributes:
        layout: of the table's files.
        in_stretches: parts records, each with its place, into stretches that are decoded together.
        decode: makes rows of the records of a stretch.
    """

    layout: Layout
    in_stretches: Callable[[Iterable[tuple[int, _RecordT]]], Iterator[list[tuple[int, _RecordT]]]]
    decode: Callable[[Sequence[_RecordT]], Rows]


def load(segments: Sequence[Sealed], log: SealedSegments[_RecordT], file: File, *, recipe: Recipe[_RecordT]) -> Loaded:
    """Write the rows of all segments to a file, which stays open and is not synced.

    What is damaged or can't be decoded is set aside before this returns, durably: once the file is published the
    segments are not read again.

    Raises:
        SegmentUnreadable: a segment can't be read.
        PublishFailed: damage can't be set aside.
        OSError: the file can't be written.
    """
    began = process_time()
    encode_s = 0.0
    named: list[SegmentRows] = []
    with FileRows(file, recipe.layout) as rows:
        for segment in segments:
            records = 0
            damages: list[Damage] = []
            for stretch in recipe.in_stretches(_records(segment, log, damages)):
                decoded = recipe.decode([record for _, record in stretch])
                for bad in decoded.undecodable:
                    offset, record = stretch[bad.index]
                    damages.append(_undecodable(offset, record, bad.detail))
                records += len(stretch) - len(decoded.undecodable)
                for batch in decoded.batches:
                    at = process_time()
                    rows.add(batch)
                    encode_s += process_time() - at
            if damages:
                with failing(Failure.SET_ASIDE):
                    log.set_aside(segment, damages)
            named.append(SegmentRows(id=segment.id, records=records))
        at = process_time()
        rows.close(named)
        encode_s += process_time() - at
    return Loaded(
        rows=rows.rows,
        segments=tuple(named),
        decode_s=process_time() - began - encode_s,
        encode_s=encode_s,
    )


def _records(segment: Sealed, log: SealedSegments[_RecordT], damages: list[Damage]) -> Iterator[tuple[int, _RecordT]]:
    """The records of a segment with their offsets; damaged stretches go to `damages`."""
    for found in _read(segment, log):
        if isinstance(found, Damage):
            damages.append(found)
        else:
            yield found


def _read(segment: Sealed, log: SealedSegments[_RecordT]) -> Iterator[tuple[int, _RecordT] | Damage]:
    try:
        yield from log.read(segment)
    except OSError as exc:
        raise SegmentUnreadable(segment, exc) from exc


def _undecodable(offset: int, record: StoredRecord, detail: str) -> Damage:
    return Damage(
        offset=offset,
        data=frame(record.SerializeToString()),
        reason=DamageReason.UNDECODABLE_BODY,
        detail=f"request {request_id_text(record.request_id)}: {detail}",
    )
