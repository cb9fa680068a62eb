"""A sealed segment of 20 realistic records, all that a disk may make of its bytes, and what must then be true of it."""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import google_crc32c
from google.protobuf import json_format

from sluice.events.v1 import events_pb2 as api
from sluice.framing import frame
from sluice.log.ports import Damage, Sealed
from sluice.log.segment import new_segment_id
from sluice.storage.v1 import log_record_pb2 as pb
from tests.support.lake_log import HOUR, NOW, uuid7

# `make test-corruption` walks everything through every door; else the slower doors see a part.
EXHAUSTIVE = bool(os.environ.get("SLUICE_TEST_ALL_DAMAGE"))

FLIPS = (0x01, 0x80, 0xFF)

_EVENTS_IN_RECORDS = (1, 1, 2, 1, 3, 1, 1, 1, 12, 1, 1, 2, 1, 1, 4, 1, 1, 1, 2, 1)
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What became of a segment's bytes.

    Attributes:
        name: what was done to it.
        content: its bytes.
        kept: which of the 20 records must still be found, in their order.
    """

    name: str
    content: bytes
    kept: tuple[int, ...]


def _record(number: int, events: int) -> pb.LogRecord:
    request = {
        "events": [
            {
                "eventName": f"event-{number}-{index}",
                "time": int(NOW * 1000) + index,
                "user": {"userID": f"user-{number}", "custom": {"plan": "größer"}},
                "value": 9.5,
                "metadata": {"page": "/checkout"},
            }
            for index in range(events)
        ]
    }
    fields = {"body_format": pb.BODY_FORMAT_JSON, "body": json.dumps(request, ensure_ascii=False).encode()}
    if number % 3 == 2:
        message = json_format.ParseDict(request, api.LogEventRequest())
        fields = {"body_format": pb.BODY_FORMAT_LOG_EVENT_REQUEST, "body": message.SerializeToString()}
    return pb.LogRecord(
        request_id=uuid7(NOW, number + 1).bytes,
        format_version=1,
        received_at_us=int(NOW * 1e6) + number * 1000,
        client_time_ms=int(NOW * 1000),
        key_id="key_0123456789abcdef",
        project="default",
        source=pb.SOURCE_SDK,
        node="n1",
        event_count=events,
        **fields,
    )


RECORDS = [_record(number, events) for number, events in enumerate(_EVENTS_IN_RECORDS)]
FRAMES = [frame(record.SerializeToString()) for record in RECORDS]
CONTENT = b"".join(FRAMES)
OFFSETS = [0, *accumulate(map(len, FRAMES))]
ALL = tuple(range(len(FRAMES)))


def sealed_as(content: bytes = CONTENT, *, records: int = len(FRAMES)) -> Sealed:
    """A new id, and the seal of what the segment held when it was closed."""
    return Sealed(hour=HOUR, id=new_segment_id(hour=HOUR, node="n1"), records=records, size_bytes=len(content))


def all_but(*numbers: int) -> tuple[int, ...]:
    """The records that are left without these."""
    return tuple(number for number in ALL if number not in numbers)


def frame_at(offset: int) -> int:
    """Which frame a byte belongs to."""
    return next(number for number, (begin, end) in enumerate(pairwise(OFFSETS)) if begin <= offset < end)


def flips(
    *, masks: tuple[int, ...] = FLIPS, begin: int = 0, until: int = len(CONTENT), step: int = 1
) -> Iterator[Mutant]:
    """One byte of the segment is another one."""
    for offset in range(begin, until, step):
        for mask in masks:
            content = bytearray(CONTENT)
            content[offset] ^= mask
            yield Mutant(name=f"byte {offset} ^ {mask:#04x}", content=bytes(content), kept=all_but(frame_at(offset)))


def truncations(*, step: int = 1) -> Iterator[Mutant]:
    """The end is missing."""
    for size in range(0, len(CONTENT), step):
        kept = tuple(number for number in ALL if OFFSETS[number + 1] <= size)
        yield Mutant(name=f"cut to {size} bytes", content=CONTENT[:size], kept=kept)


def additions() -> Iterator[Mutant]:
    """Something stands behind the end."""
    for count in (*range(1, 65), 4096):
        yield Mutant(name=f"{count} zeros at the end", content=CONTENT + bytes(count), kept=ALL)
    garbage = bytes((7 * index + 3) % 251 for index in range(1000))
    for size in (1, 11, 12, 15, 16, 100, 1000):
        yield Mutant(name=f"{size} bytes of garbage at the end", content=CONTENT + garbage[:size], kept=ALL)
    yield Mutant(
        name="another record at the end", content=CONTENT + frame(_record(77, 1).SerializeToString()), kept=ALL
    )


def lying_length(number: int, length: int) -> bytes:
    """The segment, with another length of one of its records, whose checksum fits."""
    header = _LENGTH.pack(length)
    crc = google_crc32c.value(header)
    masked = struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
    begin = OFFSETS[number]
    return CONTENT[:begin] + header + masked + CONTENT[begin + 12 :]


def lies() -> Iterator[Mutant]:
    """A length that is none, though its checksum fits: it is believed, so records that it covers are in the damage."""
    for number in (0, 7, len(FRAMES) - 1):
        true = len(FRAMES[number]) - 16
        for length in (0, 1, true - 1, true + 1, len(CONTENT), 2**31, 2**63, 2**64 - 1):
            content = lying_length(number, length)
            end = OFFSETS[number] + length + 16
            behind = tuple(n for n in ALL if n > number and OFFSETS[n] >= end)
            yield Mutant(name=f"record {number} says {length} bytes", content=content, kept=(*range(number), *behind))


def rearrangements() -> Iterator[Mutant]:
    """Whole records where they don't belong, or not at all."""
    for first, second in ((0, 1), (5, 13), (18, 19)):
        order = list(ALL)
        order[first], order[second] = second, first
        yield Mutant(
            name=f"records {first} and {second} swapped", content=b"".join(FRAMES[n] for n in order), kept=tuple(order)
        )
    for number in (0, 8, 19):
        doubled = [*ALL[: number + 1], number, *ALL[number + 1 :]]
        yield Mutant(
            name=f"record {number} twice, beside each other",
            content=b"".join(FRAMES[n] for n in doubled),
            # What then stands behind the end that the seal names is no record of the segment.
            kept=_before(len(CONTENT), doubled),
        )
    # Frames 5 and 6 are as long as each other.
    in_place = [*ALL[:6], 5, *ALL[7:]]
    yield Mutant(name="record 5 in place of record 6", content=b"".join(FRAMES[n] for n in in_place), kept=all_but(6))
    for number in (0, 8, 19):
        yield Mutant(
            name=f"record {number} is not there",
            content=b"".join(FRAMES[n] for n in all_but(number)),
            kept=all_but(number),
        )


def _before(size: int, order: list[int]) -> tuple[int, ...]:
    """The records, each once, that end within so many bytes when they stand in that order."""
    ends = accumulate(len(FRAMES[number]) for number in order)
    return tuple(dict.fromkeys(number for number, end in zip(order, ends, strict=True) if end <= size))


def lost_pages() -> Iterator[Mutant]:
    """Zeros in place of what a disk should have given."""
    for begin in range(0, len(CONTENT), 4096):
        end = min(begin + 4096, len(CONTENT))
        hit = {frame_at(offset) for offset in range(begin, end)}
        content = CONTENT[:begin] + bytes(end - begin) + CONTENT[end:]
        yield Mutant(name=f"a page of zeros at {begin}", content=content, kept=all_but(*hit))
    for begin in range(0, len(CONTENT), 512):
        end = min(begin + 512, len(CONTENT))
        hit = {frame_at(offset) for offset in range(begin, end)}
        content = CONTENT[:begin] + bytes(end - begin) + CONTENT[end:]
        yield Mutant(name=f"a sector of zeros at {begin}", content=content, kept=all_but(*hit))


def later_versions() -> Iterator[Mutant]:
    """A record that another version wrote."""
    for number in (0, 8, 19):
        for change in ({"format_version": 2}, {"format_version": 0}, {"source": 99}, {"body_format": 99}):
            record = pb.LogRecord()
            record.CopyFrom(RECORDS[number])
            for field, value in change.items():
                setattr(record, field, value)
            content = b"".join(frame(record.SerializeToString()) if n == number else FRAMES[n] for n in ALL)
            yield Mutant(name=f"record {number} with {change}", content=content, kept=all_but(number))


def few() -> Iterator[Mutant]:
    """All that takes no walk over every byte."""
    for kind in (additions, lies, rearrangements, lost_pages):
        yield from kind()


def assert_accounted_for(mutant: Mutant, found: list[tuple[int, pb.LogRecord] | Damage]) -> None:
    """Kept are the records that must be, unaltered; they and the damage together are all bytes, once each."""
    pieces = {part.offset: part.data for part in found if isinstance(part, Damage) and part.data}
    kept = [part for part in found if not isinstance(part, Damage)]
    for number, (offset, record) in zip(mutant.kept, kept, strict=True):
        pieces[offset] = mutant.content[offset : offset + len(FRAMES[number])]
        assert pieces[offset] == FRAMES[number], mutant.name
        assert record.body == RECORDS[number].body, mutant.name
    assert b"".join(pieces[offset] for offset in sorted(pieces)) == mutant.content, mutant.name


def is_seen(mutant: Mutant) -> bool:
    """Whether anything is damage: records that only changed places are whole."""
    return "swapped" not in mutant.name
