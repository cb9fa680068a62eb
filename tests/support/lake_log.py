"""Records and sealed segments for tests of the lake, and a log in memory that outlives a crash of its reader."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sluice.framing import frame
from sluice.log.ports import Damage, DamageReason, Sealed
from sluice.log.segment import Folders
from sluice.storage.v1 import log_record_pb2 as storage

NOW = datetime(2026, 1, 31, 7, 30, tzinfo=UTC).timestamp()
HOUR = "20260131T07"


def uuid7(at: float, number: int = 0) -> uuid.UUID:
    """A UUIDv7 of that time."""
    return uuid.UUID(int=(int(at * 1000) << 80) | (7 << 76) | (2 << 62) | number)


def record(body: bytes, *, number: int = 0, **fields: object) -> storage.LogRecord:
    """A record of a JSON body, unless the fields say something else."""
    facts = {
        "request_id": uuid7(NOW, number).bytes,
        "format_version": 1,
        "received_at_us": int(NOW * 1e6),
        "key_id": "key_1",
        "project": "default",
        "source": storage.SOURCE_SDK,
        "node": "n1",
        "event_count": max(1, body.count(b"eventName")),
        "body_format": storage.BODY_FORMAT_JSON,
        "body": body,
    }
    return storage.LogRecord(**(facts | fields))


def seal_on_disk(data_dir: Path, records: Sequence[storage.LogRecord], *, number: int = 1, at: float = NOW) -> Path:
    """A sealed segment as workers leave it."""
    content = b"".join(frame(item.SerializeToString()) for item in records)
    folders = Folders(data_dir / "log")
    folders.make()
    hour = f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H}"
    path = folders.sealed / f"{hour}-n1-{uuid7(at, number)}.{len(records)}.{len(content)}"
    path.write_bytes(content)
    return path


class MemoryLog:
    """`SealedSegments` in memory."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.content: dict[Sealed, list[storage.LogRecord | Damage]] = {}
        self.set_aside_stretches: dict[tuple[str, int], Damage] = {}
        self.set_aside_segments: dict[str, DamageReason] = {}
        self.reads: list[str] = []
        self.unreadable: set[str] = set()

    def seal(
        self,
        content: Sequence[storage.LogRecord | Damage],
        *,
        hour: str = HOUR,
        at: float = NOW,
        size_bytes: int = 1000,
    ) -> Sealed:
        """Add a segment."""
        segment = Sealed(
            hour=hour,
            id=f"{hour}-n1-{uuid7(at, next(self._numbers))}",
            records=sum(not isinstance(item, Damage) for item in content),
            size_bytes=size_bytes,
        )
        self.content[segment] = list(content)
        return segment

    def waiting(self) -> list[Sealed]:
        return sorted(self.content)

    def read(self, segment: Sealed) -> Iterator[tuple[int, storage.LogRecord] | Damage]:
        self.reads.append(segment.id)
        if segment.id in self.unreadable:
            raise OSError(5, "Input/output error")
        for number, item in enumerate(self.content[segment]):
            yield item if isinstance(item, Damage) else (100 * number, item)

    def set_aside(self, segment: Sealed, damages: Sequence[Damage]) -> None:
        for damage in damages:
            self.set_aside_stretches[segment.id, damage.offset] = damage

    def set_aside_whole(self, segment: Sealed, reason: DamageReason, detail: str) -> None:
        assert detail
        self.set_aside_segments[segment.id] = reason
        del self.content[segment]

    def done(self, segments: Sequence[Sealed]) -> None:
        for segment in segments:
            self.content.pop(segment, None)
