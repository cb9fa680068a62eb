"""What a client tells its caller: events that won't be delivered, trouble, and figures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sluice.client.encode import decode

if TYPE_CHECKING:
    from sluice.client.event import Event

__all__ = ["Dropped", "Reason", "SetAside", "Stats", "Trouble", "Undelivered"]


class Reason(Enum):
    """Why an event will not be tried again."""

    REFUSED = "refused"
    """The server found that it breaks the contract, and says how."""
    GAVE_UP = "gave_up"
    """No try was acknowledged within `give_up_after_s`."""
    CLOSED = "closed"
    """The client was closed, and has no spool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """An event that will not be tried again.

    Attributes:
        event: as it was sent, with its id and time.
        reason: why.
        path: where it breaks the contract, as the server names it: `event_name`, `user.custom`; "" if it does not say.
        message: what was expected and found there, or what the last try came to.
        may_be_stored: a try may have reached the server without its answer reaching the client: look for the event's
            id in the lake before you log it again. Never so for what was refused.
    """

    event: Event
    reason: Reason
    path: str
    message: str
    may_be_stored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An `Undelivered` whose event is still in bytes; the fields are the same."""

    encoded: bytes
    reason: Reason
    message: str
    path: str = ""
    may_be_stored: bool = False

    def undelivered(self) -> Undelivered:
        """As the caller is told."""
        return Undelivered(
            event=decode(self.encoded),
            reason=self.reason,
            path=self.path,
            message=self.message,
            may_be_stored=self.may_be_stored,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why deliveries fail at present. Events are kept, and tried again.

    Attributes:
        code: the name of the gRPC status, as in `UNAVAILABLE`; `SPOOL` where it is the client's own disk.
        message: what the server, or gRPC, says of it.
        needs_you: waiting will not help: the key, the address or the disk must be mended.
    """

    code: str
    message: str
    needs_you: bool


@dataclass(frozen=True, slots=True)
class SetAside:
    """The server has set events aside as invalid, of a batch that is delivered.

    Attributes:
        events: how many.
    """

    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Figures since the client was made; events where nothing else is said.

    Each event that was taken, or found in the spool, is in one of waiting, delivered, refused, given_up.

    Attributes:
        logged: taken from callers.
        recovered: found in the spool that an earlier client left. Counted when a batch is read.
        delivered: acknowledged by the server.
        set_aside: those of them that the server has set aside as invalid: the key asks for quarantine.
        refused: refused by the server, each reported.
        given_up: not acknowledged in time, or before the client was closed, each reported.
        waiting: taken, and none of these.
        waiting_bytes: their size, in memory or in the spool.
        batches_in_flight: requests on their way.
        retries: tries that followed a failed one of the same batch.
        batches_spooled: batches on disk.
    """

    logged: int
    recovered: int
    delivered: int
    set_aside: int
    refused: int
    given_up: int
    waiting: int
    waiting_bytes: int
    batches_in_flight: int
    retries: int
    batches_spooled: int
