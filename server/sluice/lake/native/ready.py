"""When the compiled decoder is used: as soon as it is there. Until then, and where there is none, the plain one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sluice.lake import metrics
from sluice.native.preparation import HINT, Preparation
from sluice.storage.v1 import log_record_pb2 as storage
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sluice.lake.fields import Decoded

__all__ = ["COMPILED", "CompiledDecoder", "CompiledPass"]

_messages = messages_of("lake")


class CompiledPass(Protocol):
    """What the functions of scanned.py are."""

    def __call__(self, bodies: Sequence[bytes | memoryview], events: int, /) -> tuple[list[int], Decoded | None]:
        """See there."""


class CompiledDecoder:
    """The compiled decoder of this process, once it is loaded.

    Attributes:
        preparation: how it gets there.
    """

    def __init__(self) -> None:
        self._decoders: dict[storage.BodyFormat.ValueType, CompiledPass] = {}
        self.preparation = Preparation("sluice.lake.native.scanned", load=self.load, tell=_tell)

    @property
    def decoders(self) -> Mapping[storage.BodyFormat.ValueType, CompiledPass]:
        """What decodes bodies of which format; empty until it is there."""
        return self._decoders

    def load(self) -> None:
        """Load it in this thread; compile it first, if it never was."""
        from sluice.lake.native import scanned  # noqa: PLC0415  numba takes 0.4 s, and 100 MB

        self._decoders = {
            storage.BODY_FORMAT_JSON: scanned.decode_json,
            storage.BODY_FORMAT_LOG_EVENT_REQUEST: scanned.decode_messages,
        }
        metrics.COMPILED_DECODER.set(1)
        _messages.info("bodies are decoded by what is compiled")


def _tell(why: str) -> None:
    _messages.warning("no compiled decoder; the plain one does its work", error=why, hint=HINT)


COMPILED = CompiledDecoder()
