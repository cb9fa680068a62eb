"""A backlog for other benches: sealed segments, as a run of the service leaves them when the lake stands still."""

import asyncio
from pathlib import Path

from bench.load import body_of
from sluice.contract import Source
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from sluice.log.ports import Body, Entry
from sluice.log.segment import LOG_FOLDER

_TOGETHER = 256


def append_backlog(data_dir: Path, size_bytes: int, *, seal_size_bytes: int = 64 << 20, events: int = 20) -> None:
    """Append bodies of so many events until the log has that size; all is sealed when this returns."""
    asyncio.run(_append(data_dir / LOG_FOLDER, size_bytes, seal_size_bytes, body_of(events), events))


async def _append(folder: Path, size_bytes: int, seal_size_bytes: int, body: bytes, events: int) -> None:
    log = SegmentAppender(
        folder, "backlog", seal_age_s=3600, seal_size_bytes=seal_size_bytes, queue_bytes=1 << 30, min_free_bytes=0
    )
    await log.start()
    appended = 0
    while appended < size_bytes:
        await asyncio.gather(*(log.append(_entry(body, events)) for _ in range(_TOGETHER)))
        appended += _TOGETHER * len(body)
    await log.close()


def _entry(body: bytes, events: int) -> Entry:
    return Entry(
        request_id=new_request_id(),
        source=Source.SDK,
        body=body,
        body_format=Body.JSON,
        event_count=events,
        key_id="key-1",
        project="default",
    )
