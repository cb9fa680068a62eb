"""Become another program, which the kernel kills when whoever started it ends.

    python -I -S die_with_parent.py PARENT_PID PROGRAM ARGUMENT...

A program of its own, and not a preexec_fn: that runs Python between fork and exec, which can deadlock beside other
threads. It costs 15 ms once and leaves no process behind. PR_SET_PDEATHSIG outlives the exec; it acts when the *thread*
ends that forked this process, so start it from the main thread.

Source: prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["dying_with_this"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def dying_with_this(*command: str) -> list[str]:
    """The command that starts this one; its program is killed when the thread ends that starts it.

    Args:
        command: the program's absolute path, and its arguments.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _become(parent_pid: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        sys.exit("the parent ended before its death could be watched")
    os.execv(command[0], command)  # noqa: S606  the caller's own absolute path, without a shell


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
