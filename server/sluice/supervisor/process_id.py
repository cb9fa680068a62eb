"""Which process is meant: its id, and when it started, since ids are used again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessId", "catches", "end_process", "is_alive", "process_id"]

_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """One process of this boot.

    Attributes:
        pid: its id.
        started: when it started, in clock ticks since boot (proc_pid_stat(5), field 22).
    """

    pid: int
    started: int


def process_id(pid: int) -> ProcessId | None:
    """The process that has this id now; None if none has it, or only one that has ended and was not waited for."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Field 2, the name in parentheses, may itself hold spaces and parentheses; field 3 is the state.
    state, *later = line.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else ProcessId(pid=pid, started=int(later[18]))


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    return process_id(process.pid) == process


def end_process(process: ProcessId, *, within_s: float = 5.0) -> bool:
    """Kill a process that is no child of this one, if it is still the one that is meant; return whether it is gone."""
    if not is_alive(process):
        return True
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    deadline = time.monotonic() + within_s
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal; without one, most signals would end it.

    A process that was just started has none yet; and of one that can't be looked at now nobody knows.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)
