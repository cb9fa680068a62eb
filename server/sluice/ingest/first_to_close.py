"""Which of a killed process's sockets the kernel closes first: the one that listens, or those that it has accepted.

The kernel lets go of a dead process's files in the order of their numbers, from the highest down (do_exit: exit_files
queues them as task work, which runs last in, first out). A listening socket, opened early, would outlive all
connections by a moment, some milliseconds on a busy machine. In it Envoy, whose connection has just broken, connects
anew: the socket takes the connection, and with it a request that nobody will ever read. Envoy can't know that, and must
not send it again. A socket that is gone refuses the connection, and then the request goes to another worker.
"""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["closed_first"]

# More than a worker ever has open: a connection from each thread of Envoy, one for its health checks, the files of the
# log. What is opened beyond is closed before, and all else goes on.
_ROOM = 256


@contextmanager
def closed_first() -> Iterator[None]:
    """What is opened within has a higher number than what is opened later."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = _ROOM if most == resource.RLIM_INFINITY else min(_ROOM, most // 2)
    held: list[int] = []
    try:
        while not held or held[-1] < room:
            held.append(os.eventfd(0))
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
