"""File descriptors: as many as the system allows, and no more connections than they suffice for.

Without any left Envoy would take no connection and burn its cores with trying, and a worker could begin no segment.
"""

from __future__ import annotations

import resource
from contextlib import suppress

__all__ = ["connections_that_fit", "raise_limit"]

# Ten thousand connections, and some; what can be had more only makes tables larger.
_WANTED = 65_536
# Of Envoy itself: its connections to workers, files, event loops.
_BESIDE_CONNECTIONS = 512


def raise_limit() -> None:
    """Let this process and its children have more descriptors than the soft limit says, up to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connections_that_fit(at_most: int) -> int:
    """How many connections Envoy may take at once, with the descriptors that it will have.

    Args:
        at_most: how many it may take where there are enough.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return at_most
    return min(at_most, max(soft // 4, soft - _BESIDE_CONNECTIONS))
