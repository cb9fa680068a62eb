"""Waiting for what happens in another process or thread: not longer than needed, and never without an end."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")

_LOOK_EVERY_S = 0.01


def wait_until(holds: Callable[[], _Found], *, within_s: float = 10, what: str = "the condition holds") -> _Found:
    """Return what `holds` returns as soon as it is true."""
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(_LOOK_EVERY_S)
    return found


async def until(holds: Callable[[], object], *, within_s: float = 10) -> None:
    """Let the loop turn until it is true."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  what is waited for is on the disk, or another's
            await asyncio.sleep(0.001)
