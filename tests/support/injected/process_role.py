"""Which process of a service this one is."""

import json
import sys
from pathlib import Path


def role() -> str:
    """`worker-0` …, `lake`, `supervisor`; of any other process the name of what it runs."""
    arguments = sys.orig_argv
    if "sluice.ingest.worker" in arguments:
        return f"worker-{json.loads(arguments[-1])['index']}"
    if "sluice.lake.writer" in arguments:
        return "lake"
    return "supervisor" if "up" in arguments else Path(arguments[0]).name
