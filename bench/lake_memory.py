"""How much memory does the lake writer take for the segments that cost it most?

    python -m bench.lake_memory --cases usual,largest_segment,repeated,escapes

Method: each case is a data folder of its own with sealed segments, published by a lake writer in a process of its own
with `--lake-size 128MiB`; its peak is VmHWM at its end, without what it had when it was ready. `usual`: two segments of
64 MiB, 20 events a body. `largest_segment`: one of 1 GiB. `tiny_events`: bodies of 10 MiB of the smallest events that
are accepted, as protobuf. `repeated`: bodies that say much of themselves (statsigMetadata), which stands on each of
their rows. `escapes`: protobuf bodies of 10 MiB of text that is six times as long in JSON; `escapes_of_the_largest`:
one of 255 MiB, which --max-body can be: the longest column that a record can become, and still below Arrow's 2 GiB.
What would mislead: a peak that pages of the file cache are part of (they are not: files are read, not mapped).
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from bench.load import body_of
from sluice.contract import Source
from sluice.events.v1 import events_pb2 as pb
from sluice.lake.config import WriterConfig
from sluice.lake.writer import LakeWriter, Outcome
from sluice.lake.written_tables import events_table
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from sluice.log.ports import Body, Entry
from sluice.log.reader import LocalSegments
from sluice.log.segment import LOG_FOLDER

_MIB = 2**20
_MAX_BODY_BYTES = 10 * _MIB
_TOGETHER = 64


def _entry(body: bytes, events: int, body_format: Body = Body.JSON) -> Entry:
    return Entry(
        request_id=new_request_id(),
        source=Source.SDK,
        body=body,
        body_format=body_format,
        event_count=events,
        key_id="key-1",
        project="default",
    )


def _of_size(size_bytes: int) -> Iterator[Entry]:
    body = body_of(20)
    return (_entry(body, 20) for _ in range(size_bytes // len(body)))


def _tiny_events() -> Iterator[Entry]:
    event = pb.Event(event_name="", user=pb.User())
    count = _MAX_BODY_BYTES // len(pb.LogEventRequest(events=[event]).SerializeToString())
    body = pb.LogEventRequest(events=[event] * count).SerializeToString()
    return (_entry(body, count, Body.LOG_EVENT_REQUEST) for _ in range(3))


def _repeated() -> Iterator[Entry]:
    # 47 of them are decoded together: 212 events each, and 79 KB that stand on each row.
    event = '{"eventName":"e","time":1,"user":{}}'
    body = f'{{"statsigMetadata":{{"x":"{"y" * 79_000}"}},"events":[{",".join([event] * 212)}]}}'.encode()
    return (_entry(body, 212) for _ in range(300))


def _escapes(size_bytes: int, count: int) -> Iterator[Entry]:
    event = pb.Event(event_name="e", user=pb.User(user_id="u"))
    event.metadata["x"] = "\x01" * (size_bytes - 1000)
    body = pb.LogEventRequest(events=[event]).SerializeToString()
    return (_entry(body, 1, Body.LOG_EVENT_REQUEST) for _ in range(count))


_CASES: dict[str, tuple[int, Callable[[], Iterator[Entry]]]] = {
    "usual": (64 * _MIB, lambda: _of_size(128 * _MIB)),
    "largest_segment": (1024 * _MIB, lambda: _of_size(1024 * _MIB)),
    "tiny_events": (64 * _MIB, _tiny_events),
    "repeated": (64 * _MIB, _repeated),
    "escapes": (64 * _MIB, lambda: _escapes(_MAX_BODY_BYTES, 6)),
    "escapes_of_the_largest": (1024 * _MIB, lambda: _escapes(255 * _MIB, 1)),
}


async def _append(folder: Path, entries: Iterator[Entry], seal_size_bytes: int) -> None:
    log = SegmentAppender(
        folder, "bench", seal_age_s=3600, seal_size_bytes=seal_size_bytes, queue_bytes=1 << 30, min_free_bytes=0
    )
    await log.start()
    for together in iter(lambda: list(islice(entries, _TOGETHER)), []):
        await asyncio.gather(*map(log.append, together))
    await log.close()


def _fill(data_dir: str, case: str) -> None:
    seal_size_bytes, entries = _CASES[case]
    asyncio.run(_append(Path(data_dir) / LOG_FOLDER, entries(), seal_size_bytes))


def _peak_mib(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def _publish(data_dir: str, case: str) -> None:
    config = WriterConfig(
        data_dir=data_dir,
        lake_size_bytes=128 * _MIB,
        lake_age_s=60,
        archive=False,
        lifeline_fd=None,
        blamed={},
        last=(),
    )
    writer = LakeWriter(config, events_table(LocalSegments(Path(data_dir) / LOG_FOLDER)))
    writer.prepare()
    ready_mib = _peak_mib("VmRSS")
    began, files = time.perf_counter(), 0
    while (outcome := writer.run_once(time.time(), at_once=True)) is Outcome.PUBLISHED:
        files += 1
    found = {
        "peak": _peak_mib("VmHWM") - ready_mib,
        "left": _peak_mib("VmRSS") - ready_mib,
        "s": time.perf_counter() - began,
    }
    print(f"{case:<22} {found['peak']:>9.0f} {found['left']:>9.0f} {found['s']:>7.1f} {files:>6} {outcome.value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(_CASES), help="comma-separated")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; MiB beyond a ready writer"
    )
    print(f"{'case':<22} {'peak':>9} {'left':>9} {'s':>7} {'files':>6} outcome")
    # A process each: what one case took must not be counted for the next.
    start = multiprocessing.get_context("spawn").Process
    for case in options.cases.split(","):
        folder = tempfile.mkdtemp(prefix="lake-memory-", dir=options.folder)
        try:
            for work in (_fill, _publish):
                process = start(target=work, args=(folder, case))
                process.start()
                process.join()
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
