"""What does each look at the log cost while many sealed segments wait for the lake?

    python -m bench.waiting_segments --segments 100,10000,100000

Method: a log folder with that many sealed segments of nothing (only their names are looked at), of one node, 2,000 an
hour, on the disk of --folder; each figure is the best of --times. `budget` is what a worker does to see how much of the
log's limit is used, `lag` what the supervisor does for its figures, `listing` what the lake writer does before each
file, `plan` how it chooses that file's segments, with all of them due at once.
What would mislead: a folder on a slow or remote disk, where listing costs more; other work on the same cores.
"""

import argparse
import os
import platform
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sluice.lake.plan import Suspects, next_file
from sluice.log.budget import Budget
from sluice.log.reader import LocalSegments
from sluice.log.segment import Folders, hour_of
from sluice.supervisor.figures import lake_lag

_PER_HOUR = 2000
_NOW_S = 1_767_225_600


def _fill(log: Path, segments: int) -> None:
    (log / "open").mkdir(parents=True)
    (log / "sealed").mkdir()
    for number in range(segments):
        begun_ms = (_NOW_S - 3600) * 1000 - (segments - number) * 3_600_000 // _PER_HOUR
        # RFC 9562, section 5.7: the first 48 bits of a UUIDv7 are milliseconds.
        id_ = uuid.UUID(int=begun_ms << 80 | 7 << 76 | 2 << 62 | number)
        name = f"{hour_of(begun_ms * 1000)}-node-{id_}.20.100000"
        os.close(os.open(log / "sealed" / name, os.O_CREAT | os.O_WRONLY))


def _best(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken) * 1000


def _measure(data_dir: Path, segments: int, times: int) -> None:
    log = data_dir / "log"
    _fill(log, segments)
    waiting = LocalSegments(log).waiting()
    assert len(waiting) == segments

    def choose() -> None:
        next_file(waiting, now=_NOW_S, size_bytes=128 << 20, age_s=60, at_once=False, suspects=Suspects())

    looks: dict[str, Callable[[], object]] = {
        "budget": lambda: Budget(Folders(log), min_free_bytes=0, max_log_bytes=1 << 60).require(0),
        "lag": lambda: lake_lag(data_dir, now=_NOW_S),
        "listing": LocalSegments(log).waiting,
        "plan": choose,
    }
    print(f"{segments:>9,}", *(f"{_best(look, times):>10.1f}" for look in looks.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", default="100,10000,100000", help="how many wait, comma-separated")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; milliseconds a look")
    print(f"{'segments':>9} {'budget':>10} {'lag':>10} {'listing':>10} {'plan':>10}")
    for segments in map(int, options.segments.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="waiting-bench-", dir=options.folder))
        try:
            _measure(folder, segments, options.times)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
