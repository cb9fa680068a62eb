"""What is wrong with a request: where, what was expected, what was found. Never an event's content.

A path names only fields that the contract names; below a free-form field it ends, as keys there are content too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MAX_NAMED_EVENTS",
    "MEND",
    "MISSING",
    "Invalid",
    "Violation",
    "invalid_request",
    "send_array",
    "violations_of_events",
]

# What a caller can do where nothing better is known.
MEND = "mend that, and send the request again"
_MEND_EVENTS = "mend them or leave them out, and send the rest again"

# Of how many invalid events the violations are named; all are counted.
MAX_NAMED_EVENTS = 100

MISSING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place where a request breaks the contract.

    Attributes:
        path: as in `events[3].time`; `body` for the whole of it, a header's name for a header.
        expected: in words, as in `integer (ms since epoch)`.
        found: in words, a type or a position; MISSING: it isn't there, or null, which means the same.
    """

    path: str
    expected: str
    found: str

    @property
    def problem(self) -> str:
        """What is wrong there, in words."""
        expected = f"expected {self.expected}"
        return f"missing, {expected}" if self.found == MISSING else f"{expected}, got {self.found}"

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """A request that breaks the contract.

    Attributes:
        violations: in the order of the body, those of the first MAX_NAMED_EVENTS invalid events.
        invalid_events: how many events break the contract; 0 where the request as a whole does.
        events: how many events there are; 0 where they can't be counted.
        mend: what a caller can do where the request as a whole is wrong.
        called: what the door's body calls its events.
    """

    violations: tuple[Violation, ...]
    invalid_events: int = 0
    events: int = 0
    mend: str = MEND
    called: str = "events"

    def message(self, *, max_bytes: int) -> str:
        """All violations in one line of ASCII, and how to mend them; those that don't fit are only counted."""
        counted = f"{self.invalid_events} of {self.events} {self.called} are invalid; none was accepted"
        tail = f" ({counted}: {_MEND_EVENTS})" if self.invalid_events else f"; {self.mend}"
        texts = [str(violation) for violation in self.violations]
        left = max_bytes - len(tail) - len("; and 1000000 more")
        named = 0
        while named < len(texts) and (left := left - len(texts[named]) - len("; ")) >= 0:
            named += 1
        more = len(texts) - named
        return "; ".join(texts[:named] + ([f"and {more} more"] if more else [])) + tail


def invalid_request(path: str, expected: str, found: str, *, mend: str = MEND) -> Invalid:
    """A request that is invalid as a whole, for one reason."""
    return Invalid(violations=(Violation(path=path, expected=expected, found=found),), mend=mend)


def send_array(key: str) -> str:
    """How to mend a request that isn't an object with the array of events that its door takes."""
    return f'send {{"{key}":[...]}}'


def violations_of_events(events: Iterable[Iterator[Violation]]) -> tuple[list[Violation], int]:
    """The violations of the first MAX_NAMED_EVENTS invalid events, and how many events are invalid.

    Args:
        events: the violations of each event. Behind that number only the first of each is asked for.
    """
    named: list[Violation] = []
    invalid_events = 0
    for found in events:
        first = next(found, None)
        if first is None:
            continue
        invalid_events += 1
        if invalid_events <= MAX_NAMED_EVENTS:
            named += [first, *found]
    return named, invalid_events
