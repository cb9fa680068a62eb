"""Entries for the log, and observers of what it does to the disk."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice import disk
from sluice.contract import Source
from sluice.log import Body, Entry, SegmentAppender, new_request_id

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


def appender(folder: Path, **settings: Any) -> SegmentAppender:
    """An appender that seals only when asked, unless the settings say otherwise."""
    given: dict[str, Any] = {
        "seal_age_s": 3600,
        "seal_size_bytes": 64 << 20,
        "queue_bytes": 64 << 20,
        "min_free_bytes": 0,
    }
    return SegmentAppender(folder, "node-1", **(given | settings))


async def until(condition: Callable[[], object], *, within_s: float = 10) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.001)


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
