"""How fast is the durable log, and what does an append cost?

    python -m bench.log_append --body 500,7000,36000,180000 --callers 1,32 --seconds 2

Method: one process, one uvloop, n callers that each append the next record when the one before is durable, on the disk
of --folder (default: the temporary folder). CPU is that of all threads of the process, so it includes the callers.
What would mislead: a folder on tmpfs, where fdatasync is free; other work on the same disk.
"""

import argparse
import asyncio
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import uvloop

from sluice.contract import Source
from sluice.log import metrics
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from sluice.log.ports import Body, Entry


def _entry(body: bytes) -> Entry:
    return Entry(
        request_id=new_request_id(),
        source=Source.SDK,
        body=body,
        body_format=Body.JSON,
        event_count=20,
        key_id="key-1",
        project="default",
        client_time_ms=1_767_225_600_000,
        sdk_type="py-server",
        sdk_version="0.72.1",
    )


async def _measure(folder: Path, *, body_bytes: int, callers: int, seconds: float) -> None:
    log = SegmentAppender(
        folder / "log", "bench", seal_age_s=10, seal_size_bytes=64 << 20, queue_bytes=256 << 20, min_free_bytes=0
    )
    await log.start()
    body = os.urandom(body_bytes)
    appends = 0
    end_s = time.perf_counter() + seconds

    async def call() -> None:
        nonlocal appends
        while time.perf_counter() < end_s:
            await log.append(_entry(body))
            appends += 1

    commits = _commits()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call() for _ in range(callers)))
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    commits = _commits() - commits
    await log.close()
    print(
        f"{body_bytes:>8} {callers:>7} {appends / wall_s:>10.0f} {appends * body_bytes / wall_s / 2**20:>8.1f}"
        f" {commits / wall_s:>9.0f} {cpu_s / appends * 1e6:>14.1f} {cpu_s / commits * 1e6:>14.1f}"
        f" {wall_s * callers / appends * 1e3:>10.2f}"
    )


def _commits() -> float:
    return next(
        sample.value
        for sample in next(iter(metrics.commit_seconds.collect())).samples
        if sample.name.endswith("_count")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--body", default="500,7000,36000,180000", help="bytes, comma-separated")
    parser.add_argument("--callers", default="1,32", help="comma-separated")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"{'body B':>8} {'callers':>7} {'appends/s':>10} {'MiB/s':>8} {'commits/s':>9}"
        f" {'CPU µs/append':>14} {'CPU µs/commit':>14} {'latency ms':>10}"
    )
    for body_bytes in map(int, options.body.split(",")):
        for callers in map(int, options.callers.split(",")):
            folder = Path(tempfile.mkdtemp(prefix="log-bench-", dir=options.folder))
            try:
                uvloop.run(_measure(folder, body_bytes=body_bytes, callers=callers, seconds=options.seconds))
            finally:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
