"""A process that does nothing, for whoever must tell processes apart, or let one be killed."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sluice.supervisor.process_id import ProcessId, process_id


@contextmanager
def bystander(*, seconds: float = 600, inherits: Sequence[int] = ()) -> Iterator[ProcessId]:
    """Run it until the block ends, or so many seconds have passed.

    Args:
        seconds: how long it lives by itself.
        inherits: descriptors that it gets.
    """
    process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"], pass_fds=inherits)
    found = process_id(process.pid)
    assert found is not None
    try:
        yield found
    finally:
        process.kill()
        process.wait(timeout=10)
