"""When bodies are checked by what is compiled: as soon as it is there, where it is faster, and where it is sure.

All other bodies, and all of them until then, are checked as validate.py and validate_proto.py do it, which alone can
say what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.ingest import metrics
from sluice.native.preparation import HINT, Preparation
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPILED", "MOST_BYTES", "CompiledCheck"]

# Handing a body over takes 5 µs: for fewer bytes the others are faster.
_LEAST_JSON_BYTES, _LEAST_MESSAGE_BYTES = 2048, 1024
# So much memory is kept in each thread that checks bodies, and six times as much for texts of messages; of both only as
# much is touched as bodies need.
MOST_BYTES = 1024 * 1024

_messages = messages_of("ingest")


class CompiledCheck:
    """The compiled check of this process, once it is loaded.

    Attributes:
        preparation: how it gets there.
    """

    def __init__(self) -> None:
        self._events_in_json: Callable[[bytes], int | None] | None = None
        self._events_in_message: Callable[[bytes], tuple[int, int | None] | None] | None = None
        self.preparation = Preparation("sluice.ingest.checked_bodies", load=self.load, tell=_tell)

    def events_in_json(self, body: bytes) -> int | None:
        """How many events a JSON body holds that surely keeps the contract, and holds no privateAttributes; else None.

        Args:
            body: any bytes.
        """
        if not _LEAST_JSON_BYTES <= len(body) <= MOST_BYTES:
            return None
        if self._events_in_json is None:
            self.preparation.count(len(body))
            return None
        return self._events_in_json(body)

    def events_in_message(self, body: bytes) -> tuple[int, int | None] | None:
        """As `events_in_json`, of a LogEventRequest, and besides the client's clock as it tells it."""
        if not _LEAST_MESSAGE_BYTES <= len(body) <= MOST_BYTES:
            return None
        if self._events_in_message is None:
            self.preparation.count(len(body))
            return None
        return self._events_in_message(body)

    def load(self) -> None:
        """Load it in this thread; compile it first, if it never was."""
        from sluice.ingest import checked_bodies  # noqa: PLC0415  numba takes 0.4 s, and 100 MB

        self._events_in_json, self._events_in_message = checked_bodies.events_in_json, checked_bodies.events_in_message
        metrics.COMPILED_CHECK.set(1)
        _messages.info("bodies are checked by what is compiled")


def _tell(why: str) -> None:
    _messages.warning("no compiled check of bodies; the plain one does its work", error=why, hint=HINT)


COMPILED = CompiledCheck()
