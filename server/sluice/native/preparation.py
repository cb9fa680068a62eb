"""Gets compiled functions into a process that has much to do for them, while it goes on without them.

To compile takes about a minute of CPU, so another process does it, a nice one, and nobody waits for that: what it
leaves in numba's cache, beside the code or in the user's own, is found there by all later ones. A thread then loads it,
which takes half a second and 100 MB: so a process that has little to do doesn't.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

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
        self._after_events: int | None = None
        self._then: Callable[[], None] | None = None
        self._counting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._compiling: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def after(self, events: int, *, then: Callable[[], None] | None = None) -> None:
        """Begin when so many more events were gone through without it. Unless that is called it never begins.

        Args:
            events: how many.
            then: what is done when it is there, in another thread.
        """
        self._after_events, self._then = events, then

    def count(self, events: int) -> None:
        """Count events that were gone through without it; in any thread."""
        if self._after_events is None:
            return
        with self._counting:
            if self._after_events is None:
                return
            self._after_events -= events
            if self._after_events >= 0:
                return
            self._after_events = None
            self._thread = threading.Thread(target=self._prepare, name="compiled functions", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as exc:
                self._thread = None
                self._tell(str(exc))

    def close(self) -> None:
        """Let go of what is being prepared."""
        self._after_events, self._is_closed = None, True
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
            ) as self._compiling:
                if self._is_closed:
                    self._compiling.kill()
                assert self._compiling.stderr is not None, "it is a pipe"
                # Until it ends. Not `communicate`, which ends its standard input first.
                said = self._compiling.stderr.read()
            if self._is_closed or self._compiling.returncode < 0:
                return  # this process ends, or somebody ended that one
            if self._compiling.returncode:
                self._tell(said.decode(errors="replace").strip().rpartition("\n")[2])
            else:
                self._load()
                if self._then is not None:
                    self._then()
        except Exception as exc:  # noqa: BLE001  numba is not there, or what it kept is broken: it works without
            self._tell(f"{type(exc).__name__}: {exc}")
