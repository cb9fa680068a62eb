"""Entries for the log, and observers of what it does to the disk."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice import disk
from sluice.contract import Source
from sluice.framing import frame
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from sluice.log.ports import Body, Entry, Sealed
from sluice.log.reader import LocalSegments, records_in
from sluice.log.record import encode
from sluice.log.refused import RefusedEntry, RejectReason
from sluice.log.segment import new_segment_id, sealed_name
from sluice.storage.v1.log_record_pb2 import LogRecord

HOUR_US = 3_600_000_000


def entry(body: bytes = b'{"events":[]}', **fields: Any) -> Entry:
    """An entry as ingest hands it over."""
    given: dict[str, Any] = {
        "request_id": new_request_id(),
        "source": Source.SDK,
        "body": body,
        "body_format": Body.JSON,
        "event_count": 1,
        "key_id": "key-1",
        "project": "default",
    }
    return Entry(**(given | fields))


def refused_entry(body: bytes | None = b'{"events":7}', **fields: Any) -> RefusedEntry:
    """An entry of a refused request as ingest hands it over."""
    given: dict[str, Any] = {
        "request_id": new_request_id(),
        "source": Source.SDK,
        "reason": RejectReason.INVALID_REQUEST,
        "errors": "[]",
        "body": body,
        "body_format": Body.JSON,
        "body_bytes": len(body or b""),
        "body_sha256": hashlib.sha256(body or b"").digest(),
        "key_id": "key-1",
        "project": "default",
    }
    return RefusedEntry(**(given | fields))


def appender(folder: Path, **settings: Any) -> SegmentAppender:
    """An appender that seals only when asked, unless the settings say otherwise."""
    given: dict[str, Any] = {
        "seal_age_s": 3600,
        "seal_size_bytes": 64 << 20,
        "queue_bytes": 64 << 20,
        "min_free_bytes": 0,
    }
    return SegmentAppender(folder, "node-1", **(given | settings))


class NewRecords:
    """The records that a service has appended since they were last asked for; none may be sealed meanwhile."""

    def __init__(self, log: Path) -> None:
        self._open = log / "open"
        self._read: dict[str, int] = {}

    def read(self) -> list[LogRecord]:
        """What stands behind what was read before, in the order of the log."""
        found: list[LogRecord] = []
        for path in sorted(self._open.iterdir()):
            begin = self._read.get(path.name, 0)
            with path.open("rb") as file:
                file.seek(begin)
                content = file.read()
            for _, record in records_in(content, sealed=None):
                assert isinstance(record, LogRecord)
                found.append(record)
            self._read[path.name] = begin + len(content)
        return found


class Clock:
    """A clock that goes as it is told, in nanoseconds since the epoch."""

    def __init__(self, us: int) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us * 1000


class Recorder:
    """Keeps what was begun and what was done."""

    def __init__(self) -> None:
        self.begun: list[disk.Operation] = []
        self.done: list[disk.Operation] = []

    def before(self, operation: disk.Operation) -> None:
        self.begun.append(operation)

    def after(self, operation: disk.Operation) -> None:
        self.done.append(operation)

    def verbs(self) -> list[str]:
        """What was done, and in which of the log's folders."""
        return [f"{o.verb} {_folder_of(o)}" for o in self.done]


class Refuses(Recorder):
    """Lets operations fail that a condition picks, for as long as `on` is set."""

    def __init__(self, picks: Callable[[disk.Operation], bool], *, error: int = errno.EIO) -> None:
        super().__init__()
        self.on = True
        self.refused = 0
        self._picks = picks
        self._error = error

    def before(self, operation: disk.Operation) -> None:
        super().before(operation)
        if self.on and self._picks(operation):
            self.refused += 1
            raise OSError(self._error, os.strerror(self._error))


class Died(BaseException):
    """What DiesBefore raises: no handler of errors may see it, as none runs in a process that is killed."""


class DiesBefore(Recorder):
    """Lets the process die, as it were, before the n-th operation."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._steps_left = step

    def before(self, operation: disk.Operation) -> None:
        super().before(operation)
        if self._steps_left == 0:
            raise Died
        self._steps_left -= 1


def _folder_of(operation: disk.Operation) -> str:
    if operation.verb == "sync_folder":
        return Path(operation.path).name
    return Path(operation.path).parent.name


def frame_of(body: bytes = b'{"events":[]}', *, received_at_us: int = 1_767_225_600_000_000, **fields: Any) -> bytes:
    """The bytes of one record, as they stand in a segment."""
    return frame(b"".join(encode(entry(body, **fields), received_at_us=received_at_us, node="node_1")))


def open_segment(log: Path, content: bytes) -> str:
    """Put a segment into open/ as a dead writer leaves it; return its id."""
    segment_id = new_segment_id(hour="20260101T00", node="node_1")
    (log / "open").mkdir(parents=True, exist_ok=True)
    (log / "open" / segment_id).write_bytes(content)
    return segment_id


def sealed_segment(log: Path, content: bytes, *, records: int, size_bytes: int | None = None) -> Sealed:
    """Put a segment into sealed/, with the seal that is told."""
    size_bytes = len(content) if size_bytes is None else size_bytes
    sealed = Sealed(
        hour="20260101T00",
        id=new_segment_id(hour="20260101T00", node="node_1"),
        records=records,
        size_bytes=size_bytes,
    )
    (log / "sealed").mkdir(parents=True, exist_ok=True)
    (log / "sealed" / sealed_name(sealed)).write_bytes(content)
    return sealed


def bodies_in(log: Path) -> list[bytes]:
    """The bodies of all whole records in sealed segments, the oldest first."""
    segments = LocalSegments(log)
    return [
        part[1].body for segment in segments.waiting() for part in segments.read(segment) if isinstance(part, tuple)
    ]
