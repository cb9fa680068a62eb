"""One thread that does blocking work for an event loop, one job after the other."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    Job = tuple[Callable[[], None], asyncio.Future[None]]

__all__ = ["JobThread"]


class JobThread:
    """A thread of its own: cheaper per job than an executor, and no other work can keep it busy.

    It doesn't keep the process alive: a disk that hangs must not keep a process from ending.

    Args:
        name: as debuggers show it.
        loop: where the outcomes are awaited.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def do(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Do the work in the thread; the future ends with it, or with what it raised."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((work, done))
        return done

    def end(self) -> None:
        """End the thread behind the jobs that were given to it; doesn't wait."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            try:
                work()
            except BaseException as exc:  # noqa: BLE001  whatever it is, the loop waits for it
                self._tell(done, exc)
            else:
                self._tell(done, None)

    def _tell(self, done: asyncio.Future[None], raised: BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_end, done, raised)


def _end(done: asyncio.Future[None], raised: BaseException | None) -> None:
    if done.done():
        return
    if raised is None:
        done.set_result(None)
    else:
        done.set_exception(raised)
