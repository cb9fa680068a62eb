"""Ratios of two runs of bench.matrix, cell by cell: B divided by A.

    python -m bench.compare before.json after.json

Above 1 is better for events per CPU-second, worse for all else. Runs of different machines, or of different hours on
one, say little: the ratio of two cells of one run that no change touches shows how little.
"""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def _cells(path: str) -> dict[tuple[str, int, int], dict[str, Any]]:
    found = json.loads(Path(path).read_text())["cells"]
    return {(cell["transport"], cell["batch"], cell["workers"]): cell for cell in found}


def _ratio(before: float, after: float) -> str:
    return f"{after / before:.2f}" if before else "-"


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    before, after = _cells(sys.argv[1]), _cells(sys.argv[2])
    table = Table(box=None, header_style="bold")
    for name in ("", "batch", "workers", "events/CPU-s", "Envoy", "workers", "lake", "p50", "p99", "MiB", "Parquet"):
        table.add_column(name, justify="right" if name else "left")
    for cell in sorted(before.keys() & after.keys()):
        a, b = before[cell], after[cell]
        table.add_row(
            cell[0],
            str(cell[1]),
            str(cell[2]),
            _ratio(a["events_per_cpu_s"], b["events_per_cpu_s"]),
            *(_ratio(a["cpu_s"][r] / a["events"], b["cpu_s"][r] / b["events"]) for r in ("envoy", "workers", "lake")),
            *(_ratio(a["latencies_ms_at_half"][p], b["latencies_ms_at_half"][p]) for p in ("p50", "p99")),
            _ratio(max(a["peak_mib"].values()), max(b["peak_mib"].values())),
            _ratio(a["parquet_bytes_per_event"], b["parquet_bytes_per_event"]),
        )
    Console(width=140).print(table)
    missing = sorted(before.keys() ^ after.keys())
    if missing:
        print("in one of them alone:", *missing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
