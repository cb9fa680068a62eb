"""Records what this process does below the data folder, each operation with when it ended.

A line of the record is JSON: {"ns": CLOCK_MONOTONIC, "pid", "role", "phase": "before"|"after", "verb",
"path", "to", "data": hex}.
With a gate (a path), a `datasync` of a log segment begins only once that file exists.
"""

import json
import os
import time
from pathlib import Path

import process_role

from sluice import disk

_GATE_POLL_S = 0.005
_GATE_LIMIT_S = 30


class _Recorder:
    def __init__(self, record: str, gate: str) -> None:
        self._fd = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._gate = gate
        self._role = process_role.role()

    def before(self, operation: disk.Operation) -> None:
        self._write("before", operation)
        if self._gate and operation.verb == "datasync" and "/log/open/" in operation.path:
            deadline = time.monotonic() + _GATE_LIMIT_S
            while not Path(self._gate).exists() and time.monotonic() < deadline:
                time.sleep(_GATE_POLL_S)

    def after(self, operation: disk.Operation) -> None:
        self._write("after", operation)

    def _write(self, phase: str, operation: disk.Operation) -> None:
        line = {
            "ns": time.monotonic_ns(),
            "pid": os.getpid(),
            "role": self._role,
            "phase": phase,
            "verb": operation.verb,
            "path": operation.path,
            "to": operation.to,
            "data": operation.data.hex() if "/log/open/" in operation.path else "",
        }
        os.write(self._fd, json.dumps(line).encode() + b"\n")


def install(record: str, *, gate: str) -> None:
    """Record from now until this process ends."""
    recording = disk.observed(_Recorder(record, gate))
    recording.__enter__()
    _kept.append(recording)


# A context manager that is collected would end the recording.
_kept: list[object] = []
