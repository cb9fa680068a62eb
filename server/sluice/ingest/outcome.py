"""What became of a request. It knows neither gRPC nor HTTP: answers.py says it in their words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, assert_never

from sluice.error_details import Reason
from sluice.ingest.violations import Invalid

if TYPE_CHECKING:
    from sluice.keys.key import Refusal

__all__ = ["FAULT_MESSAGE", "Accepted", "Error", "KeyRefused", "Outcome", "TooLarge", "Unavailable", "Why", "reason_of"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events are durable; or there were none.

    Attributes:
        set_aside: how many of them are invalid, and set aside with their reasons, as durably.
    """

    set_aside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefused:
    """The key doesn't open this door.

    Attributes:
        refusal: why.
        prefix: the first characters of what was sent as key, in ASCII, to name it; "" if nothing was.
    """

    refusal: Refusal
    prefix: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The body is larger than it may be, in bytes, once it is unpacked."""

    limit_bytes: int


FAULT_MESSAGE = "a fault of this server; send the batch again later"


class Why(Enum):
    """Why a request can't be taken now; the values are metric labels, and in capitals reasons."""

    OVERLOADED = "overloaded"
    LOG_UNAVAILABLE = "log_unavailable"
    STOPPING = "stopping"
    FAULT = "internal_fault"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing is wrong with the request: it may be sent again later."""

    why: Why


Error: TypeAlias = Invalid | KeyRefused | TooLarge | Unavailable
Outcome: TypeAlias = Accepted | Error


def reason_of(error: Error) -> Reason:
    """Why a request is answered with an error, in the word that callers and metrics share."""
    match error:
        case Invalid():
            return Reason.INVALID_EVENTS if error.invalid_events else Reason.INVALID_REQUEST
        case TooLarge():
            return Reason.TOO_LARGE
        case KeyRefused():
            return Reason(error.refusal.value.upper())
        case Unavailable():
            return Reason(error.why.value.upper())
        case _:
            assert_never(error)
