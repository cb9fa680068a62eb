"""Gets compiled functions into a process that has much to do for them, while it goes on without them.

To compile takes about a minute of CPU, so another process does it, a nice one, and nobody waits for that: what it
leaves in numba's cache, beside the code or in the user's own, is found there by all later ones. A thread then loads it,
which takes half a second and 100 MB: so a process that has little to do doesn't.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from sluice.telemetry import METRICS_FOLDER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HINT", "Preparation"]

HINT = (
    "numba must be installed, and keeps what it compiles beside the code or where NUMBA_CACHE_DIR says: make that "
    "writable"
)

_LOADS_WITHIN_S = 30.0


class Preparation:
    """Of one module and those that it imports, in this process.

    Args:
        module: to import it is to compile what it has, or to find that in the cache.
        load: imports it, and lets it be used; called in a thread.
        tell: is told why it can't be had.
    """

    def __init__(self, module: str, *, load: Callable[[], None], tell: Callable[[str], None]) -> None:
        self._module = module
        self._load = load
        self._tell = tell
        self._left: int | None = None
        self._then: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._compiling: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def after(self, much: int, *, then: Callable[[], None] | None = None) -> None:
        """Begin when so much more was done without it. Unless that is called it never begins.

        Args:
            much: in the unit of `count`, whatever that is.
            then: what is done when it is there, in another thread.
        """
        self._left, self._then = much, then

    def count(self, much: int) -> None:
        """Count what was done without it, and would be done by it; in any thread."""
        if self._left is None:
            return
        with self._lock:
            if self._left is None:
                return
            self._left -= much
            if self._left >= 0:
                return
            self._left = None
            thread = threading.Thread(target=self._prepare, name="compiled functions", daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:
                self._tell(str(exc))
            else:
                self._thread = thread

    def close(self) -> None:
        """Let go of what is being prepared."""
        with self._lock:
            self._left, self._is_closed = None, True
        if (compiling := self._compiling) is not None:
            compiling.kill()
        if self._thread is not None:
            self._thread.join(_LOADS_WITHIN_S)

    def _prepare(self) -> None:
        try:
            with subprocess.Popen(  # noqa: S603  all of it is our own
                [sys.executable, "-P", "-m", "sluice.native.compile", self._module],
                # It ends when this end of it does, however this process ends.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # How nice it is would else be so of this process: niceness.py.
                start_new_session=True,
                # It counts nothing, least of all as this process.
                env={name: value for name, value in os.environ.items() if name != METRICS_FOLDER_VARIABLE},
            ) as self._compiling:
                if self._is_closed:
                    self._compiling.kill()
                assert self._compiling.stderr is not None, "it is a pipe"
                # Until it ends. Not `communicate`, which ends its standard input first.
                said = self._compiling.stderr.read()
            code = self._compiling.returncode
            if self._is_closed:
                return
            if code < 0:
                self._tell(f"what compiles was ended by signal {-code}; it needs 450 MiB")
            elif code:
                self._tell(said.decode(errors="replace").strip().rpartition("\n")[2])
            else:
                self._load()
                if self._then is not None:
                    self._then()
        except Exception as exc:  # noqa: BLE001  numba is not there, or what it kept is broken: it works without
            self._tell(f"{type(exc).__name__}: {exc}")
