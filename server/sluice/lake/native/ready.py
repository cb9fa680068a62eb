"""When the compiled decoder is used: as soon as it is there. Until then, and where there is none, the plain one is.

A process that decodes much prepares it. To compile takes about a minute of CPU, so another process does it, a nice one,
and nobody waits for that: what it leaves in numba's cache, beside the code or in the user's own, is found there by
all later ones. A thread then loads it, which takes half a second.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from sluice.lake import metrics
from sluice.storage.v1 import log_record_pb2 as storage
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sluice.lake.fields import Decoded

__all__ = ["COMPILED", "CompiledDecoder", "CompiledPass"]

_LOADS_WITHIN_S = 30.0

_messages = messages_of("lake")


class CompiledPass(Protocol):
    """What the functions of scanned.py are."""

    def __call__(self, bodies: Sequence[bytes | memoryview], events: int, /) -> tuple[list[int], Decoded | None]:
        """See there."""


class CompiledDecoder:
    """The compiled decoder of this process, once it is loaded."""

    def __init__(self) -> None:
        self._after_events: int | None = None
        self._then: Callable[[], None] | None = None
        self._decoders: dict[storage.BodyFormat.ValueType, CompiledPass] = {}
        self._preparing: threading.Thread | None = None
        self._compiling: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    @property
    def decoders(self) -> Mapping[storage.BodyFormat.ValueType, CompiledPass]:
        """What decodes bodies of which format; empty until it is there."""
        return self._decoders

    def prepare_after(self, events: int, *, then: Callable[[], None] | None = None) -> None:
        """Prepare it when so many more events were decoded without it. Unless it is asked for it is never prepared.

        Args:
            events: how many.
            then: what is done when it is there, in another thread.
        """
        self._after_events, self._then = events, then

    def decoded(self, events: int) -> None:
        """Count events that were decoded without it."""
        if self._after_events is None:
            return
        self._after_events -= events
        if self._after_events < 0:
            self._after_events = None
            self._preparing = threading.Thread(target=self._prepare, name="compiled decoder", daemon=True)
            try:
                self._preparing.start()
            except RuntimeError as exc:
                self._preparing = None
                _tell(str(exc))

    def load(self) -> None:
        """Load it in this thread; compile it first, if it never was."""
        from sluice.lake.native import scanned  # noqa: PLC0415  numba takes 0.4 s, and 100 MB

        self._decoders = {
            storage.BODY_FORMAT_JSON: scanned.decode_json,
            storage.BODY_FORMAT_LOG_EVENT_REQUEST: scanned.decode_messages,
        }
        metrics.COMPILED_DECODER.set(1)

    def close(self) -> None:
        """Let go of what is being prepared."""
        self._after_events, self._is_closed = None, True
        if (compiling := self._compiling) is not None:
            compiling.kill()
        if self._preparing is not None:
            self._preparing.join(_LOADS_WITHIN_S)

    def _prepare(self) -> None:
        try:
            with subprocess.Popen(
                [sys.executable, "-P", "-m", "sluice.lake.native.compile"],
                # It ends when this end of it does, however this process ends.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as self._compiling:
                if self._is_closed:
                    self._compiling.kill()
                assert self._compiling.stderr is not None, "it is a pipe"
                # Until it ends. Not `communicate`, which ends its standard input first.
                said = self._compiling.stderr.read()
            if self._is_closed or self._compiling.returncode < 0:
                return  # this process ends, or somebody ended that one
            if self._compiling.returncode:
                _tell(said.decode(errors="replace").strip().rpartition("\n")[2])
            else:
                self.load()
                if self._then is not None:
                    self._then()
        except Exception as exc:  # noqa: BLE001  numba is not there, or what it kept is broken: it works without
            _tell(f"{type(exc).__name__}: {exc}")


def _tell(why: str) -> None:
    _messages.warning(
        "no compiled decoder; the plain one does its work",
        error=why,
        hint="numba must be installed, and keeps what it compiles beside the code or where NUMBA_CACHE_DIR says: make "
        "that writable",
    )


COMPILED = CompiledDecoder()
