"""Blocking work, done beside the loop: a disk that hangs must neither stop the supervisor nor keep it from ending."""

from __future__ import annotations

import asyncio
import errno
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["beside"]

_Result = TypeVar("_Result")


def beside(work: Callable[[], _Result], *, name: str) -> asyncio.Future[_Result]:
    """Do it in a thread of its own, which doesn't keep the process alive.

    Not asyncio.to_thread: its threads are few, some work that hangs would hold up all other, and the end of the process
    waits for them.

    Args:
        work: may raise; so does the future then.
        name: of the thread, as debuggers show it.

    Returns:
        What comes of it; an OSError where no thread can be made.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[_Result] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001  whatever it is, the loop looks at it
            tell(exc)
        else:
            tell(None, result)

    def tell(raised: BaseException | None, *results: _Result) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(end, raised, *results)

    def end(raised: BaseException | None, *results: _Result) -> None:
        if outcome.done():
            return
        if raised is None:
            outcome.set_result(*results)
        else:
            outcome.set_exception(raised)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as exc:
        outcome.set_exception(OSError(errno.EAGAIN, str(exc)))
    return outcome
