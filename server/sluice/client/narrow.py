"""What of a refused batch is at fault, and what is sent again.

The server takes a batch whole or not at all, and names the events at fault: the first 100, and fewer where its message
would be too long. Those are out; the others are sent again, and may meet another refusal. Where it names none, the
batch is halved until a single event is left. Each round takes an event out or halves, so it ends: n events need less
than 2 n requests at worst, two as a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.client.answer import Refused

__all__ = ["AtFault", "Narrowed", "narrow"]


@dataclass(frozen=True, slots=True)
class AtFault:
    """An event that the server refuses.

    Attributes:
        encoded: the event.
        path: where the first violation is; "" if the server does not say.
        message: what was expected and found; of further violations with their paths.
    """

    encoded: bytes
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What becomes of a refused batch.

    Attributes:
        out: the events at fault.
        again: the events of each batch that is sent in its place; none of them is empty.
    """

    out: list[AtFault]
    again: list[list[bytes]]


def narrow(encoded: Sequence[bytes], refused: Refused) -> Narrowed:
    """Tell the events at fault from the others.

    Args:
        encoded: the events of the batch; at least one.
        refused: the server's answer. What it says of events that the batch has not is ignored.
    """
    said: dict[int, list[tuple[str, str]]] = {}
    for violation in refused.violations:
        if violation.index < len(encoded):
            said.setdefault(violation.index, []).append((violation.path, violation.message))
    if said:
        out = [_at_fault(encoded[index], violations) for index, violations in sorted(said.items())]
        rest = [event for index, event in enumerate(encoded) if index not in said]
        return Narrowed(out=out, again=[rest] if rest else [])
    if len(encoded) == 1:
        return Narrowed(out=[AtFault(encoded[0], "", refused.message)], again=[])
    middle = len(encoded) // 2
    return Narrowed(out=[], again=[list(encoded[:middle]), list(encoded[middle:])])


def _at_fault(encoded: bytes, violations: list[tuple[str, str]]) -> AtFault:
    (path, message), *more = violations
    return AtFault(encoded, path, "; ".join([message, *(f"{path}: {said}" for path, said in more)]))
