"""The keys in force, which follow their file: it is looked at each second, and soon for a caller with an unknown key.

Only one look at a time touches the disk, in a thread: a disk that hangs keeps no caller waiting whose key is known. Who
comes with one that is not waits a moment for the next look, and a flood of such callers makes ten looks a second, not
one each.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from sluice.ingest import metrics

if TYPE_CHECKING:
    from sluice.contract import Source
    from sluice.keys.key import Key, Refusal

__all__ = ["FollowedKeys", "KeyStore"]

_LOOK_AGAIN_S = 1.0
_LOOKS_APART_S = 0.1
# Usually it takes as long as looks are apart; on a disk that hangs nobody waits longer.
_MAY_WAIT_S = 0.5
_MOST_WAIT = 16


class KeyStore(Protocol):
    """Keys as of the last time that their file was read."""

    def check(self, secret: str | None, source: Source, *, from_query: bool, now: float) -> Key | Refusal:
        """The key, if it opens the door."""

    def reload_if_changed(self) -> bool:
        """Read the file anew if it was changed; blocks."""

    @property
    def is_unreadable(self) -> bool:
        """Whether the file couldn't be read the last time, so that older keys are in force."""


class FollowedKeys:
    """Keys that follow their file as long as `follow` runs."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._wanted = asyncio.Event()
        # Set by the end of the first look that has not begun yet.
        self._looked = asyncio.Event()
        self._waiting = 0

    def check(self, secret: str | None, source: Source, *, from_query: bool, now: float) -> Key | Refusal:
        """The key, if it opens the door; reads nothing."""
        return self._keys.check(secret, source, from_query=from_query, now=now)

    async def catch_up(self) -> bool:
        """Wait until what was changed before this call is in force; False if it may not be.

        So it is at once where the file can't be read, or many wait already, and in the end where a look takes too long.
        """
        if self._keys.is_unreadable or self._waiting >= _MOST_WAIT:
            return False
        looked = self._looked
        self._wanted.set()
        self._waiting += 1
        try:
            async with asyncio.timeout(_MAY_WAIT_S):
                await looked.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    async def follow(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            looked, self._looked = self._looked, asyncio.Event()
            self._wanted.clear()
            await asyncio.to_thread(self._keys.reload_if_changed)
            metrics.OUTAGES.labels("keys").set(self._keys.is_unreadable)
            if self._keys.is_unreadable:
                metrics.FAULTS.labels("keys").inc()
            looked.set()
            await asyncio.sleep(_LOOKS_APART_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S - _LOOKS_APART_S):
                    await self._wanted.wait()
