"""Parts a request with bad events: the good ones are accepted, the bad ones set aside, as its key asks for.

    accepted    the request with `null` in place of each bad event of a JSON body, so that the others keep their places;
                a typed message as it came
    set aside   the request with its bad events alone, each byte for byte, without privateAttributes wherever they stand

A request that is bad as a whole is not parted: without its events it must be right. Nor is one that is its one event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.private import without_private_anywhere
from sluice.ingest.refused_body import MAX_ERRORS
from sluice.ingest.scan import MemberFinder, end_of_separators, end_of_value
from sluice.ingest.validate import Unclear, Valid
from sluice.ingest.violations import Invalid, Violation
from sluice.log.ports import Body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.ingest.door import Shape

__all__ = ["Parted", "parted"]

_Message = TypeVar("_Message", pb.LogEventRequest, pb.ReceiveWebhookEventRequest)

# Each event is looked at within its request, as that may say what holds for all. So this is what of a request beside
# its events may be gone through in all; nobody's but an attacker's comes near.
_MAX_REPEATED_BYTES = 16 * 1024 * 1024

# The member of a JSON body that has its events.
_EVENTS_IN = {Body.JSON: "events", Body.CUSTOM_EXPOSURES: "exposures"}
_FINDERS = {key: MemberFinder(key) for key in _EVENTS_IN.values()}
_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """A request in two.

    Attributes:
        accepted: the body that is accepted; None: no event of it is good.
        set_aside: the body of the bad events.
        indices: which events are bad, by their places in the request.
        found: the request as it is without the bad events, but for how many events there are: those are counted, too.
        violations: what is wrong with them, the first 1,000.
    """

    accepted: bytes | None
    set_aside: bytes
    indices: tuple[int, ...]
    found: Valid
    violations: tuple[Violation, ...]


def parted(body: bytes, *, shape: Shape, body_format: Body) -> Parted | None:
    """Part a request of which some events are bad; None: it can't be parted, and is refused as a whole.

    Args:
        body: as `shape` has found it to be: it parses, and has bad events.
        shape: what it must be.
        body_format: what it is.
    """
    if body_format in _EVENTS_IN:
        return _parted_json(body, shape, _EVENTS_IN[body_format])
    if body_format is Body.LOG_EVENT_REQUEST:
        return _parted_message(body, shape, pb.LogEventRequest)
    if body_format is Body.RECEIVE_WEBHOOK_EVENT_REQUEST:
        return _parted_message(body, shape, pb.ReceiveWebhookEventRequest)
    return None


def _parted_json(body: bytes, shape: Shape, key: str) -> Parted | None:
    place = _events_of(body, key)
    if place is None:
        return None
    begin, end = place
    head, tail = body[: begin + 1], body[end - 1 :]
    raws = [bytes(raw) for raw in _EVENTS.decode(body[begin:end])]
    if (len(head) + len(tail)) * len(raws) > _MAX_REPEATED_BYTES:
        return None
    bad = _BadEvents(key)
    for index, raw in enumerate(raws):
        if not bad.look(index, _judged(head + raw + tail, shape)):
            return None
    set_aside = head + b",".join([raws[index] for index in bad.indices]) + tail
    is_bad = set(bad.indices)
    found = _judged(head + b",".join([raw for index, raw in enumerate(raws) if index not in is_bad]) + tail, shape)
    if isinstance(found, Invalid):
        return None
    accepted: bytes | None = None
    if len(bad.indices) < len(raws):
        for index in bad.indices:
            raws[index] = b"null"
        accepted = shape.to_store(head + b",".join(raws) + tail)
    return Parted(
        accepted=accepted,
        set_aside=without_private_anywhere(set_aside),
        indices=tuple(bad.indices),
        found=replace(found, event_count=len(raws)),
        violations=tuple(bad.violations),
    )


def _parted_message(body: bytes, shape: Shape, message: type[_Message]) -> Parted | None:
    request = message.FromString(body)
    events = list(request.events)
    rest = message()
    rest.CopyFrom(request)
    del rest.events[:]
    if rest.ByteSize() * len(events) > _MAX_REPEATED_BYTES:
        return None
    bad = _BadEvents("events")
    for index, event in enumerate(events):
        alone = message()
        alone.CopyFrom(rest)
        alone.events.append(event)
        if not bad.look(index, shape.look_closer(alone.SerializeToString())):
            return None
    is_bad = set(bad.indices)
    good = message()
    good.CopyFrom(rest)
    good.events.extend(event for index, event in enumerate(events) if index not in is_bad)
    found = shape.look_closer(good.SerializeToString())
    if isinstance(found, Invalid):
        return None
    rest.events.extend(events[index] for index in bad.indices)
    return Parted(
        accepted=shape.to_store(body) if good.events else None,
        set_aside=rest.SerializeToString(),
        indices=tuple(bad.indices),
        found=replace(found, event_count=len(events)),
        violations=tuple(bad.violations),
    )


class _BadEvents:
    """Which events are bad, and what is wrong with them."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.indices: list[int] = []
        self.violations: list[Violation] = []

    def look(self, index: int, found: Valid | Invalid) -> bool:
        """Note what is wrong with an event; False: it isn't the event that is wrong."""
        if not isinstance(found, Invalid):
            return True
        if not found.invalid_events:
            return False
        self.indices.append(index)
        left = MAX_ERRORS - len(self.violations)
        self.violations += islice(self._in_place(found, index), left)
        return True

    def _in_place(self, found: Invalid, index: int) -> Iterator[Violation]:
        """The violations of a request of one event, as they are of the event with that index."""
        for violation in found.violations:
            path = f"{self._key}[{index}]{violation.path.removeprefix(f'{self._key}[0]')}"
            yield Violation(path=path, expected=violation.expected, found=violation.found)


def _judged(body: bytes, shape: Shape) -> Valid | Invalid:
    found = shape.check(body)
    return shape.look_closer(body) if isinstance(found, Unclear) else found


def _events_of(body: bytes, key: str) -> tuple[int, int] | None:
    """Where the array of that key begins and ends; None: there is none, or more than one."""
    at = end_of_separators(body, 0)
    if body[at : at + 1] != b"{":
        return None
    at += 1
    found: tuple[int, int] | None = None
    while not isinstance(member := _FINDERS[key].next(body, at), int):
        at = end_of_value(body, member.value)
        if member.key == key:
            if found is not None or body[member.value : member.value + 1] != b"[":
                return None
            found = member.value, at
    return found
