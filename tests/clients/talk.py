"""A process that answers lines of JSON with lines of JSON."""

import json
import queue
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Talker:
    """A process to ask; it ends when its standard input is closed.

    Args:
        command: what to start.
        folder: where.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended before it was asked
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
            raise
        finally:
            self._reader.join(timeout=10)
            self._process.stdout.close()

    def ask(self, asked: dict[str, Any], *, within_s: float = 30) -> Any:
        """Send a line; return the answer."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # that it has ended is said below
            self._process.stdin.write(f"{json.dumps(asked)}\n")
            self._process.stdin.flush()
        try:
            answer = self._answers.get(timeout=within_s)
        except queue.Empty:
            raise AssertionError(f"no answer within {within_s:g} s from {' '.join(self._command)}") from None
        assert answer is not None, f"it has ended: {' '.join(self._command)}"
        return json.loads(answer)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)
