"""Why a JSON body breaks the contract: every violation, with its path.

Slow and thorough: it goes through all events in Python (10 µs each) and is only asked when the fast check has refused.
It has the last word: what msgspec alone can't take (a number beyond the range of a double) may yet be right. Where a
key stands twice, each occurrence is checked, as each reader may take another.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sluice.contract import INT64_MAX, INT64_MIN, INTERNAL_EVENT_PREFIX, STATSIG_METADATA_FIELDS, milliseconds_of
from sluice.ingest.violations import (
    MEND,
    MISSING,
    Invalid,
    Violation,
    invalid_request,
    send_array,
    violations_of_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["explain", "explain_exposures", "explain_webhook"]

_TIME = "integer (ms since epoch)"
_MEND_METADATA = "leave out what isn't known of the SDK"
_MEND_WEBHOOK = 'send {"events":[...]}, or one event as {"event":"...","user":{...}}'


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


def explain(body: bytes) -> Invalid | None:
    """All that is wrong with a body of log_event that is valid JSON.

    Args:
        body: JSON in UTF-8, nested no deeper than the limit.

    Returns:
        The violations; None: there are none.
    """
    return _explained(_read(body), "events", _of_event)


def explain_webhook(body: bytes) -> Invalid | None:
    """As `explain`, of a webhook's body: `events`, or one event in the form of `contract.WebhookEventBody`."""
    request = _read(body)
    if isinstance(request, _Object):
        in_contract = any(value is not None for value in request.all("events"))
        is_event = any(value is not None for value in request.all("event"))
        if in_contract is is_event:
            found, mend = ("both", "leave one of them out") if is_event else ("neither", _MEND_WEBHOOK)
            return invalid_request("events", "array, or in its place event, the name of one", found, mend=mend)
        if is_event:
            violations = tuple(_of_webhook_event(request))
            return Invalid(violations=violations) if violations else None
    return _explained(request, "events", _of_event, with_statsig_metadata=False)


def explain_exposures(body: bytes) -> Invalid | None:
    """As `explain`, of a body of log_custom_exposure."""
    return _explained(_read(body), "exposures", _of_exposure)


_OfItem: TypeAlias = "Callable[[Any, str, bool], Iterator[Violation]]"


def _read(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number)


def _explained(request: Any, key: str, of_item: _OfItem, *, with_statsig_metadata: bool = True) -> Invalid | None:
    violations = list(_of_request(request, key, with_statsig_metadata=with_statsig_metadata))
    occurrences = request.all(key) if isinstance(request, _Object) else []
    shares_user = isinstance(request, _Object) and any(user is not None for user in request.all("user")[-1:])
    arrays = [occurrence for occurrence in occurrences if _type(occurrence) == "array"]
    named, invalid_events = violations_of_events(
        of_item(item, f"{key}[{index}]", shares_user) for items in arrays for index, item in enumerate(items)
    )
    if not violations and not named:
        return None
    events = len(arrays[-1]) if arrays else 0
    mend = _mend_of(violations[0].path, key) if violations else ""
    return Invalid(
        violations=(*violations, *named), invalid_events=invalid_events, events=events, mend=mend, called=key
    )


def _mend_of(path: str, key: str) -> str:
    return {"body": send_array(key), key: send_array(key), "statsigMetadata": _MEND_METADATA}.get(
        path.partition(".")[0], MEND
    )


def _of_request(request: Any, key: str, *, with_statsig_metadata: bool) -> Iterator[Violation]:
    if not isinstance(request, _Object):
        yield Violation(path="body", expected="object", found=_type(request))
        return
    occurrences = request.all(key)
    if not occurrences:
        yield Violation(path=key, expected="array", found=MISSING)
    for items in occurrences:
        if items is None:
            yield Violation(path=key, expected="array", found=MISSING)
        elif _type(items) != "array":
            yield Violation(path=key, expected="array", found=_type(items))
    for user in request.all("user"):
        yield from _of_user(user, "user")
    if with_statsig_metadata:
        for metadata in request.all("statsigMetadata"):
            yield from _expect("statsigMetadata", metadata, "object")
            if isinstance(metadata, _Object):
                for name in STATSIG_METADATA_FIELDS:
                    for value in metadata.all(name):
                        yield from _expect(f"statsigMetadata.{name}", value, "string")


def _of_event(event: Any, path: str, shares_user: bool) -> Iterator[Violation]:
    if not isinstance(event, _Object):
        yield Violation(path=path, expected="object", found=_type(event))
        return
    yield from _of_event_name(event.all("eventName"), f"{path}.eventName")
    yield from _of_time(event.all("time"), f"{path}.time")
    yield from _of_users(event, f"{path}.user", may_lack=shares_user or _is_internal(event.all("eventName")))
    for value in event.all("value"):
        yield from _expect(f"{path}.value", value, "string", "number")
    for metadata in event.all("metadata"):
        yield from _expect(f"{path}.metadata", metadata, "object")


def _of_webhook_event(event: _Object) -> Iterator[Violation]:
    names = event.all("event")
    yield from _of_event_name(names, "event")
    yield from _of_time_if_told(event.all("timestamp"), "timestamp")
    yield from _of_users(event, "user", may_lack=_is_internal(names))
    for value in event.all("value"):
        yield from _expect("value", value, "string", "number")
    for metadata in event.all("metadata"):
        yield from _expect("metadata", metadata, "object")


def _of_exposure(exposure: Any, path: str, shares_user: bool) -> Iterator[Violation]:
    if not isinstance(exposure, _Object):
        yield Violation(path=path, expected="object", found=_type(exposure))
        return
    told = {key for key, value in dict(exposure).items() if value is not None}
    if "gateName" in told:
        if "experimentName" in told:
            yield Violation(path=path, expected="either experimentName or gateName", found="both")
        yield from _of_name(exposure.all("gateName"), f"{path}.gateName")
        yield from _required(exposure.all("passes"), f"{path}.passes", "boolean")
    elif "experimentName" in told:
        yield from _of_name(exposure.all("experimentName"), f"{path}.experimentName")
    else:
        yield Violation(path=path, expected="experimentName or gateName", found="neither")
    if not told & {"group", "ruleID"}:
        yield Violation(path=path, expected="group or ruleID", found="neither")
    yield from _of_name(exposure.all("group"), f"{path}.group")
    for rule_id in exposure.all("ruleID"):
        yield from _expect(f"{path}.ruleID", rule_id, "string")
    yield from _of_time_if_told(exposure.all("time"), f"{path}.time")
    yield from _of_users(exposure, f"{path}.user", may_lack=shares_user)


def _of_users(event: _Object, path: str, *, may_lack: bool) -> Iterator[Violation]:
    users = event.all("user")
    if not users and not may_lack:
        yield Violation(path=path, expected="object", found=MISSING)
    for user in users:
        yield from _of_user(user, path)


def _of_name(names: list[Any], path: str) -> Iterator[Violation]:
    for name in names:
        if name == "":
            yield Violation(path=path, expected="a name", found="an empty string")
        yield from _expect(path, name, "string")


def _required(values: list[Any], path: str, expected: str) -> Iterator[Violation]:
    for value in values or [None]:
        if value is None:
            yield Violation(path=path, expected=expected, found=MISSING)
        yield from _expect(path, value, expected)


def _is_internal(names: list[Any]) -> bool:
    return bool(names) and isinstance(names[-1], str) and names[-1].startswith(INTERNAL_EVENT_PREFIX)


def _of_event_name(names: list[Any], path: str) -> Iterator[Violation]:
    yield from _required(names, path, "string")


def _of_time_if_told(times: list[Any], path: str) -> Iterator[Violation]:
    if told := [time for time in times if time is not None]:
        yield from _of_time(told, path)


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
