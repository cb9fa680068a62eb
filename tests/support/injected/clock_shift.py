"""Shifts the wall clock of this process by what the file that CLOCK_SHIFT names says: seconds, as text.

Only what Python asks for: `time.time` and `time.time_ns`. Envoy and the monotonic clock go on as they are, as in a
machine whose wall clock is set.

grpc's Python asks for the time to make a deadline of it, which grpc's core compares with the system's clock. Where a
clock is really set both go along; so it is told the true time.
"""

import sys
import time
from pathlib import Path

_true_time_ns = time.time_ns


class _Shift:
    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._seen: tuple[int, int] | None = None
        self._shift_ns = 0

    def time_ns(self) -> int:
        try:
            facts = self._path.stat()
            if (facts.st_ino, facts.st_mtime_ns) != self._seen:
                self._shift_ns = int(float(self._path.read_text()) * 1e9)
                self._seen = (facts.st_ino, facts.st_mtime_ns)
        except FileNotFoundError:
            self._shift_ns = 0
        return _true_time_ns() + self._shift_ns

    def time(self) -> float:
        asks = str(sys._getframe(1).f_globals.get("__name__", ""))
        return (_true_time_ns() if asks.startswith("grpc.") else self.time_ns()) / 1e9


def install(path: str) -> None:
    """Shift from now until this process ends."""
    shift = _Shift(path)
    time.time_ns = shift.time_ns
    time.time = shift.time
