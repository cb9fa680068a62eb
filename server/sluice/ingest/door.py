"""Ways in: what a body of each must be, and what its requests are known by. Nothing here knows gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sluice.contract import Source
from sluice.ingest.caller import client_time_missing
from sluice.ingest.known_request import KnownRequest
from sluice.ingest.violations import Invalid
from sluice.keys.key import Key, Refusal

if TYPE_CHECKING:
    from sluice.ingest.caller import Caller
    from sluice.ingest.validate import Unclear, Valid
    from sluice.log.ports import Body

__all__ = ["INLINE_BYTES", "INLINE_PACKED_BYTES", "Door", "KeysInForce", "Shape"]

# What is slow by the byte is done in a thread of its own for a larger body: cutting one of 10 MiB may take a second.
INLINE_BYTES = 256 * 1024
INLINE_PACKED_BYTES = 64 * 1024


class Shape(Protocol):
    """What the body of a door must be, and what of it is kept."""

    def check(self, body: bytes) -> Valid | Invalid | Unclear:
        """Look quickly."""

    def look_closer(self, body: bytes) -> Valid | Invalid:
        """Look again at what is unclear."""

    def client_time(self, body: bytes, found: Valid) -> int | Invalid | None:
        """The client's clock as a valid body tells it; asked only where neither header nor query does."""

    def to_store(self, body: bytes) -> bytes:
        """What of a valid body goes to the log."""


class KeysInForce(Protocol):
    """Where keys are looked up."""

    def check(self, secret: str | None, source: Source, *, from_query: bool, now: float) -> Key | Refusal:
        """The key, if it opens the door."""

    async def catch_up(self) -> bool:
        """Wait a moment for changes that were made before this call; False if they may not be in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One way in.

    Attributes:
        http_source: the source of what Envoy transcoded; that of other calls is `grpc`.
        http_needs_client_time: whether what Envoy transcoded must tell the client's clock.
        shape: what its bodies must be.
        body_format: what its bodies are, unless their shape finds another.
        transcoded_shape: what those must be that Envoy made of JSON, where that is something else.
    """

    http_source: Source
    http_needs_client_time: bool
    shape: Shape
    body_format: Body
    transcoded_shape: Shape | None = None

    def shape_of(self, caller: Caller) -> Shape:
        """What a caller's bodies must be."""
        return self.transcoded_shape if caller.transcoded and self.transcoded_shape else self.shape

    def key_for(self, caller: Caller, keys: KeysInForce, *, now: float) -> Key | Refusal:
        """The caller's key, if it opens this door.

        Args:
            caller: who knocks.
            keys: those in force.
            now: seconds since the epoch.
        """
        key = keys.check(caller.secret, self.source_of(caller), from_query=caller.secret_in_query, now=now)
        # What a key may not send as JSON it may not send as protobuf either: pages reach this door by gRPC-Web.
        if isinstance(key, Key) and self.http_source is Source.WEBHOOK and Source.WEBHOOK not in key.sources:
            return Refusal.NOT_FOR_THIS_DOOR
        return key

    def source_of(self, caller: Caller) -> Source:
        """What requests of a caller are counted as."""
        return self.http_source if caller.transcoded else Source.GRPC

    def known(
        self, request_id: bytes, key: Key, caller: Caller, *, client_time_ms: int | Invalid | None
    ) -> KnownRequest:
        """A request whose key opens this door.

        Args:
            request_id: 16 bytes.
            key: its key.
            caller: who sent it.
            client_time_ms: the client's clock, as far as it is known.
        """
        return KnownRequest(
            id=request_id,
            source=self.source_of(caller),
            body_format=self.body_format,
            key=key,
            caller=caller,
            client_time_ms=None if isinstance(client_time_ms, Invalid) else client_time_ms,
        )

    def client_time_in(self, body: bytes, found: Valid, caller: Caller) -> int | Invalid | None:
        """The client's clock of a request that doesn't tell it outside of its body.

        Args:
            body: a valid one.
            found: what was found in it.
            caller: who sent it.
        """
        told = self.shape_of(caller).client_time(body, found)
        if told is None and caller.transcoded and self.http_needs_client_time:
            return client_time_missing()
        return told
