"""Standard error for messages: whatever is behind it, writing neither fails nor waits for long.

    behind it                                 a message
    a full disk                               is lost
    a pipe or terminal that was closed        is lost, and all later ones
    a pipe or socket that nobody reads now,   waits 50 ms, once; then it is lost, and others are until somebody reads,
    a terminal that is paused (Ctrl-S)        who is told how many

What a process does must not depend on whether somebody reads about it: a worker that waited for a reader would answer
nobody.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UnfailingStream"]

_MAY_WAIT_S = 0.05


class UnfailingStream:
    """What structlog writes to, and who draws on a terminal: whole lines, from any thread.

    Args:
        file: standard error.
        lost_line: what is written behind the first message after some were lost, from their number.
    """

    def __init__(self, file: TextIO, *, lost_line: Callable[[int], str]) -> None:
        self._file = file
        self._lost_line = lost_line
        self._unwaiting = _unwaiting(file)
        self._rest = b""
        self._lost = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write a line, or lose it."""
        if self._unwaiting is None:
            with suppress(OSError):
                self._file.write(text)
            return
        with self._lock, suppress(OSError):
            # A line that was begun is ended first, or what follows it could not be read either.
            self._rest = self._rest[self._take(self._rest) :]
            line = text.encode(errors="replace")
            taken = 0 if self._rest else self._take(line)
            if not taken:
                self._lost += 1
                return
            self._rest = line[taken:]
            if self._lost:
                self._rest += self._lost_line(self._lost).encode()
                self._lost = 0
                self._rest = self._rest[self._take(self._rest) :]

    def draw(self, text: str) -> None:
        """Write what is worth nothing later, where that takes no time and cuts no line in two; else let it go."""
        if self._unwaiting is None:
            self.write(text)
            self.flush()
            return
        with self._lock, suppress(OSError):
            self._rest = self._rest[self._take(self._rest, may_wait=False) :]
            if not self._rest:
                drawn = text.encode(errors="replace")
                taken = self._take(drawn, may_wait=False)
                self._rest = drawn[taken:] if taken else b""

    def flush(self) -> None:
        """Write what Python holds back."""
        if self._unwaiting is not None:
            return
        try:
            self._file.flush()
        except OSError as exc:
            if exc.errno in {errno.EPIPE, errno.EIO}:
                # Nobody will ever read there. What is buffered has to go somewhere when Python ends, else that fails.
                null = os.open(os.devnull, os.O_WRONLY)  # noqa: TID251  not below the data folder
                os.dup2(null, self._file.fileno())
                os.close(null)

    def close(self) -> None:
        """Give back what was opened; standard error itself stays open."""
        if self._unwaiting is not None:
            self._unwaiting.close()

    def _take(self, data: bytes, *, may_wait: bool | None = None) -> int:
        """Send; return how many bytes were taken. Waits, unless it is told not to, until the first message is lost."""
        assert self._unwaiting is not None
        taken = 0
        if may_wait is None:
            may_wait = not self._lost
        while taken < len(data):
            try:
                taken += self._unwaiting.send(data[taken:])
            except BlockingIOError:
                if not may_wait:
                    break
                may_wait = False
                _wait_until_writable(self._file.fileno())
        return taken


class _Reopened:
    """A pipe or terminal, opened anew: whether writing waits belongs to the open file, which others have too."""

    def __init__(self, fd: int) -> None:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        self._fd = os.open(f"/proc/self/fd/{fd}", flags)  # noqa: TID251  not below the data folder

    def send(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


class _Connection:
    """A socket, as systemd's journal gives one."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=os.dup(fd))

    def send(self, data: bytes) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


def _unwaiting(file: TextIO) -> _Reopened | _Connection | None:
    """What sends without waiting; None where writing never waits, or nothing better than the file itself is known."""
    with suppress(OSError, ValueError):
        fd = file.fileno()
        mode = os.fstat(fd).st_mode
        if stat.S_ISFIFO(mode) or os.isatty(fd):
            return _Reopened(fd)
        if stat.S_ISSOCK(mode):
            return _Connection(fd)
    return None


def _wait_until_writable(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(_MAY_WAIT_S * 1000)
