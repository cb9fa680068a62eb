"""How many bytes of bodies are handled at the same time. What is not admitted is answered UNAVAILABLE at once."""

from __future__ import annotations

import threading

__all__ = ["Admission"]


class Admission:
    """Counts the bytes in flight against a limit. For any threads.

    Args:
        limit_bytes: bodies in flight together. One alone is admitted whatever its size.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self.in_flight_bytes = 0

    def admit(self, size: int) -> bool:
        """Count a body of this size in, if there is room; who got True calls `release` when it is answered."""
        with self._lock:
            if self.in_flight_bytes and self.in_flight_bytes + size > self._limit:
                return False
            self.in_flight_bytes += size
            return True

    def release(self, size: int) -> None:
        """Count a body out again."""
        with self._lock:
            self.in_flight_bytes -= size
