"""The log of a worker: group commit in a thread of its own, which begins, seals, mends and ends.

The thread doesn't keep its process alive, as a disk that hangs must not keep a process from ending. A second one looks
whether the disk hangs: see group_commit.py.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from sluice.log.group_commit import GroupCommit, unavailable
from sluice.log.metrics import ACCEPTED
from sluice.log.ports import Entry
from sluice.log.record import encode
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Appending", "SegmentAppender"]

# Of the time after which a disk counts as hanging.
_LOOKS_FOR_STALL = 10

_EntryT = TypeVar("_EntryT")

_messages = messages_of("log")


class Appending(GroupCommit[_EntryT]):
    """Group commit that runs by itself from `start` to `close`; both may be awaited in any event loop."""

    _ended: threading.Event | None = None

    async def start(self) -> None:
        """Make the folders and try the disk. Returns when it refuses, too: `healthy` tells, and it is tried again."""
        self._ended = threading.Event()
        self._closing: list[_Told] = []
        has_begun = _Told()
        name = f"log-{self._node}"
        threading.Thread(target=self._run, args=(has_begun, self._ended), name=name, daemon=True).start()
        threading.Thread(target=self._look_for_stalls, args=(self._ended,), name=f"{name}-watch", daemon=True).start()
        await has_begun

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._ended is not None and not self._ended.is_set()

    async def append(self, entry: _EntryT) -> None:
        """Return when the entry is durable; see `sluice.log.ports.Appender.append`."""
        is_durable = _Told()
        self.put(entry, is_durable)
        # A caller that is cancelled cancels what it waits for, and nothing else.
        if not await is_durable:
            raise unavailable()

    async def seal(self) -> bool:
        """Seal the open segment now, if there is one; False where the disk refuses, and the segment waits for it."""
        is_sealed = _Told()
        self.ask_to_seal(is_sealed)
        return await is_sealed

    async def close(self) -> None:
        """Take no more, make durable what waits, and seal. What can't be sealed is left to recovery, with an ERROR."""
        self.begin_close()
        if self._ended is not None:
            is_closed = _Told()
            self._closing.append(is_closed)
            if not self._ended.is_set():
                await is_closed

    def _run(self, has_begun: Callable[[bool], None], ended: threading.Event) -> None:
        try:
            self.begin()
            has_begun(True)
            while self.turn(wait=True):
                pass
            self.end()
        except Exception:  # noqa: BLE001  whatever it is, the operator is told; who watches sees that it runs no more
            _messages.exception("the log's thread has ended by a fault")
        finally:
            # However it ends, nobody waits for an answer that can't come.
            self.begin_close()
            self.refuse_what_waits()
            ended.set()
            has_begun(False)  # for who still waits for that
            for is_closed in self._closing:
                is_closed(True)

    def _look_for_stalls(self, ended: threading.Event) -> None:
        while not ended.wait(self._stalls_after_s / _LOOKS_FOR_STALL):
            self.look_for_stall()


class SegmentAppender(Appending[Entry]):
    """Appends accepted requests. See `sluice.log.ports.Appender`."""

    _figures = ACCEPTED
    _encode = staticmethod(encode)

    @staticmethod
    def _size_of(entry: Entry) -> int:
        return len(entry.body)


class _Told(asyncio.Future[bool]):
    """What another thread will tell, once, to whoever waits in this loop."""

    def __call__(self, what: bool) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.get_loop().call_soon_threadsafe(self._settle, what)

    def _settle(self, what: bool) -> None:
        if not self.done():
            self.set_result(what)
