"""Why a JSON body breaks the contract: every violation, with its path.

Slow and thorough: it goes through all events in Python (10 µs each) and is only asked when the fast check has refused.
It has the last word: what msgspec alone can't take (a number beyond the range of a double) may yet be right. Where a
key stands twice, each occurrence is checked, as each reader may take another.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sluice.contract import INT64_MAX, INT64_MIN, INTERNAL_EVENT_PREFIX, STATSIG_METADATA_FIELDS, milliseconds_of
from sluice.ingest.violations import MISSING, Invalid, Violation, violations_of_events

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explain"]

_TIME = "integer (ms since epoch)"
_MEND = {
    "body": 'send {"events":[...]}',
    "events": 'send {"events":[...]}',
    "statsigMetadata": "leave out what isn't known of the SDK",
}


class _Number(NamedTuple):
    """A number as it is written: it may be larger than Python reads at all."""

    text: str

    def as_time(self) -> object:
        integral = self.text.lstrip("-").isdigit()
        # int64 has at most 19 digits; Python refuses to read more than 4,300.
        if integral:
            return int(self.text) if len(self.text) <= 20 else INT64_MAX + 1
        return float(self.text)


class _Object(tuple[tuple[str, Any], ...]):
    """An object as its members, in their order; a key may stand more than once."""

    __slots__ = ()

    def all(self, key: str) -> list[Any]:
        return [value for name, value in self if name == key]


def explain(body: bytes, *, with_statsig_metadata: bool) -> Invalid | None:
    """All that is wrong with a body that is valid JSON.

    Args:
        body: JSON in UTF-8, nested no deeper than the limit.
        with_statsig_metadata: whether the contract has statsigMetadata at this door (at log_event it does).

    Returns:
        The violations; None: there are none.
    """
    request = json.loads(body, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number)
    violations = list(_of_request(request, with_statsig_metadata=with_statsig_metadata))
    occurrences = request.all("events") if isinstance(request, _Object) else []
    arrays = [occurrence for occurrence in occurrences if _type(occurrence) == "array"]
    named, invalid_events = violations_of_events(
        _of_event(event, f"events[{index}]") for events in arrays for index, event in enumerate(events)
    )
    if not violations and not named:
        return None
    events = len(arrays[-1]) if arrays else 0
    mend = _MEND[violations[0].path.partition(".")[0]] if violations else ""
    return Invalid(violations=(*violations, *named), invalid_events=invalid_events, events=events, mend=mend)


def _of_request(request: Any, *, with_statsig_metadata: bool) -> Iterator[Violation]:
    if not isinstance(request, _Object):
        yield Violation(path="body", expected="object", found=_type(request))
        return
    occurrences = request.all("events")
    if not occurrences:
        yield Violation(path="events", expected="array", found=MISSING)
    for events in occurrences:
        if events is None:
            yield Violation(path="events", expected="array", found=MISSING)
        elif _type(events) != "array":
            yield Violation(path="events", expected="array", found=_type(events))
    if with_statsig_metadata:
        for metadata in request.all("statsigMetadata"):
            yield from _expect("statsigMetadata", metadata, "object")
            if isinstance(metadata, _Object):
                for name in STATSIG_METADATA_FIELDS:
                    for value in metadata.all(name):
                        yield from _expect(f"statsigMetadata.{name}", value, "string")


def _of_event(event: Any, path: str) -> Iterator[Violation]:
    if not isinstance(event, _Object):
        yield Violation(path=path, expected="object", found=_type(event))
        return
    yield from _of_event_name(event.all("eventName"), f"{path}.eventName")
    yield from _of_time(event.all("time"), f"{path}.time")
    users = event.all("user")
    if not users and not _is_internal(event):
        yield Violation(path=f"{path}.user", expected="object", found=MISSING)
    for user in users:
        yield from _of_user(user, f"{path}.user")
    for value in event.all("value"):
        yield from _expect(f"{path}.value", value, "string", "number")
    for metadata in event.all("metadata"):
        yield from _expect(f"{path}.metadata", metadata, "object")


def _is_internal(event: _Object) -> bool:
    names = event.all("eventName")
    return bool(names) and isinstance(names[-1], str) and names[-1].startswith(INTERNAL_EVENT_PREFIX)


def _of_event_name(names: list[Any], path: str) -> Iterator[Violation]:
    for name in names or [None]:
        if name is None:
            yield Violation(path=path, expected="string", found=MISSING)
        else:
            yield from _expect(path, name, "string")


def _of_time(times: list[Any], path: str) -> Iterator[Violation]:
    for time in times or [None]:
        if time is None:
            yield Violation(path=path, expected=_TIME, found=MISSING)
        elif isinstance(time, _Number):
            number = time.as_time()
            if milliseconds_of(number) is None:
                within = isinstance(number, float) and INT64_MIN <= number <= INT64_MAX
                found = "number with a fraction" if within else "number beyond 64 bits"
                yield Violation(path=path, expected=_TIME, found=found)
        elif milliseconds_of(time) is None:
            found = "string that is no ISO-8601 time" if isinstance(time, str) else _type(time)
            yield Violation(path=path, expected=_TIME, found=found)


def _of_user(user: Any, path: str) -> Iterator[Violation]:
    yield from _expect(path, user, "object")
    if not isinstance(user, _Object):
        return
    for user_id in user.all("userID"):
        yield from _expect(f"{path}.userID", user_id, "string", "number")
    for email in user.all("email"):
        yield from _expect(f"{path}.email", email, "string")
    for custom in user.all("custom"):
        yield from _expect(f"{path}.custom", custom, "object")
    for ids in user.all("customIDs"):
        yield from _expect(f"{path}.customIDs", ids, "object")
        if isinstance(ids, _Object):
            wrong = [_type(value) for _, value in ids if value is not None and not isinstance(value, str)]
            if wrong:
                yield Violation(path=f"{path}.customIDs", expected="strings as values", found=wrong[0])


def _expect(path: str, value: Any, *types: str) -> Iterator[Violation]:
    """Null means absent, so it is right for all that may be absent."""
    if value is not None and _type(value) not in types:
        yield Violation(path=path, expected=" or ".join(types), found=_type(value))


def _type(value: Any) -> str:
    match value:
        case _Object():
            return "object"
        case _Number():
            return "number"
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case _:
            return "array"
