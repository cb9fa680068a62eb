"""Which process of a service this one is."""

import os
import sys
from pathlib import Path


def role() -> str:
    """`worker-0` …, `lake`, `supervisor`; of any other process the name of what it runs."""
    # The supervisor tells its children; of itself it says so only later than this is asked.
    told = os.environ.get("SLUICE_ROLE")
    return told or ("supervisor" if "up" in sys.orig_argv else Path(sys.orig_argv[0]).name)
