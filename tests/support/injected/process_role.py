"""Which process of a service this one is."""

import os
import sys


def role() -> str:
    """`worker-0` …, `lake`, `supervisor`; `command` for any other process."""
    # The supervisor tells its children; of itself it says so only later than this is asked.
    told = os.environ.get("SLUICE_ROLE")
    return told or ("supervisor" if "up" in sys.orig_argv else "command")
