"""What do the views for experiments cost over a whole lake, in seconds and memory?

    python -m bench.views --events 2000000 --users 200000

Method: a lake of 96 files, one for each hour of four days, of distinct events (half of them exposures) in requests of
100, each hundredth request sent twice; then each query in a process of its own, after one that only counts. Seconds are
those of the clock, from opening the lake to the last row; memory is the process's largest. What would mislead: other
work on the machine; a lake of many small files, whose opening costs more than their rows.
"""

import argparse
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec

from sluice import disk
from sluice.lake.decode import decode
from sluice.lake.parquet import FileRows, SegmentRows
from sluice.lake.partition import EVENTS_FOLDER, LAKE_FOLDER, file_name, folder_of
from sluice.lake.query import connect
from sluice.storage.v1 import log_record_pb2 as storage

_HOURS = 96
_QUERIES = {
    "count of events (baseline)": "select count(*), sum(length(metadata)) from events",
    "events_distinct, whole": "select count(*), sum(length(metadata)), sum(length(sdk_metadata)) from events_distinct",
    "events_distinct, one event": "select sum(value_number) from events_distinct where event_name = 'event_1'",
    "events_distinct, one day": "select count(*) from events_distinct(since := '2026-01-30', until := '2026-01-30')",
    "exposures, whole": "select count(*), sum(groups_seen) from exposures",
    "metric_by_group": "from metric_by_group('experiment_3', 'event_3', measure := 'sum', days := 2)",
    "metric_difference": "from metric_difference('experiment_3', 'event_3', 'group_0')",
    "sample_ratio": "from sample_ratio('experiment_3')",
}


def _event(chance: random.Random, users: int, time_ms: int) -> dict[str, object]:
    number = chance.randrange(users)
    user = {
        "userID": f"user-{number}",
        "email": f"p{number}@example.com",
        "customIDs": {"companyID": f"c{number % 9999}", "stableID": f"{number * 7919:032x}"},
        "country": "US",
        "statsigEnvironment": {"tier": "production"},
    }
    kind = chance.random()
    if kind < 0.2:
        facts = {"config": f"experiment_{chance.randrange(10)}", "ruleID": f"group_{number % 2}", "reason": "Network"}
        return {"eventName": "statsig::config_exposure", "user": user, "time": time_ms, "metadata": facts}
    if kind < 0.5:
        passed = "true" if number % 3 else "false"
        facts = {"gate": f"gate_{chance.randrange(30)}", "gateValue": passed, "ruleID": "4kDs1", "reason": "Network"}
        return {"eventName": "statsig::gate_exposure", "user": user, "time": time_ms, "metadata": facts}
    bought = {"item": f"sku_{chance.randrange(99)}", "currency": "EUR", "order": chance.getrandbits(40)}
    name, value = f"event_{chance.randrange(20)}", chance.random() * 100
    return {"eventName": name, "user": user, "time": time_ms, "value": value, "metadata": bought}


def _request(body: bytes, *, time_ms: int, number: int, events: int) -> storage.LogRecord:
    return storage.LogRecord(
        request_id=uuid.UUID(int=(time_ms << 80) | (7 << 76) | (2 << 62) | number).bytes,
        format_version=1,
        received_at_us=time_ms * 1000,
        client_time_ms=time_ms,
        key_id="key_1",
        project="default",
        source=storage.SOURCE_SDK,
        node="n1",
        event_count=events,
        body_format=storage.BODY_FORMAT_JSON,
        body=body,
    )


def _write_hour(data_dir: Path, at: datetime, *, events: int, users: int) -> None:
    chance = random.Random(at.timestamp())
    folder = folder_of(data_dir / LAKE_FOLDER / EVENTS_FOLDER, f"{at:%Y%m%dT%H}")
    disk.make_folders(folder)
    name = f"{at:%Y%m%dT%H}-n1-{uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))}"
    with disk.create(folder / file_name(name)) as file, FileRows(file) as rows:
        for first in range(0, events, 100):
            batch = min(100, events - first)
            time_ms = int(at.timestamp() * 1000) + chance.randrange(3_500_000)
            sent = [_event(chance, users, time_ms - chance.randrange(60_000)) for _ in range(batch)]
            about = {"sdkType": "py-server", "sdkVersion": "0.72.1", "sessionID": f"s{first % 7}"}
            body = msgspec.json.encode({"events": sent, "statsigMetadata": about})
            copies = 2 if chance.random() < 0.01 else 1
            records = [
                _request(body, time_ms=time_ms + 3000 * copy, number=first + copy, events=batch)
                for copy in range(copies)
            ]
            for decoded in decode(records).batches:
                rows.add(decoded)
        rows.close([SegmentRows(id=name, records=0)])


def _ask(data_dir: Path, query: str) -> None:
    began_s = time.perf_counter()
    with connect(data_dir) as connection:
        rows = len(connection.execute(query).fetchall())
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - began_s:8.2f} {memory_mib:8.0f} {rows:6}")


def main() -> None:
    """Make the lake, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--ask", nargs=2, metavar=("FOLDER", "SQL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        _ask(Path(arguments.ask[0]), arguments.ask[1])
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        for hour in range(_HOURS):
            at = datetime(2026, 1, 29, tzinfo=UTC) + timedelta(hours=hour)
            _write_hour(data_dir, at, events=arguments.events // _HOURS, users=arguments.users)
        size_mib = sum(file.stat().st_size for file in data_dir.rglob("*.parquet")) / 2**20
        print(f"{arguments.events} events of {arguments.users} users, {size_mib:.0f} MiB of Parquet in {_HOURS} files")
        print(f"{'query':28} {'seconds':>8} {'MiB':>8} {'rows':>6}")
        for name, query in _QUERIES.items():
            print(f"{name:28}", end=" ", flush=True)
            subprocess.run([sys.executable, "-m", "bench.views", "--ask", folder, query], check=True)


if __name__ == "__main__":
    main()
