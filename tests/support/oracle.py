"""Whether a body keeps the contract with its leniencies, and what its rows hold: without any of the service's code.

The contract's own schema is asked, by jsonschema, of what Python's json reads; before that what the service takes
beyond the contract (docs/errors.md) is put into the contract's words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from json.decoder import JSONDecodeError, scanstring
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker

from tests.support.generated import PATHS, USER_SCHEMA, body_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Expected", "expected_of", "is_named_by"]

_MAX_DEPTH = 500
_INT64 = range(-(2**63), 2**63)
_OPTIONAL_OF_USER = ("userID", "email", "custom", "customIDs")
_OPTIONAL_OF_SDK = ("sdkType", "sdkVersion", "sessionID", "stableID")
_BEYOND = {
    "request": {"idempotencyKey", "user", "clientTime"},
    "event": {"secondaryExposures", "eventID"},
    "user": set(),
}
_BEYOND["user"] |= {"ip", "userAgent", "country", "locale", "appVersion", "statsigEnvironment", "privateAttributes"}
_NAMED = {
    "event": {"user", "eventName", "time", "value", "metadata"},
    "user": set(_OPTIONAL_OF_USER),
}
_WEBHOOK = "/webhooks/event_webhook"
# One event in place of the array, at the webhook.
_OF_ONE_EVENT = {"event": "eventName", "timestamp": "time"}
_OF_REQUEST = {"events", "statsigMetadata", "idempotencyKey", "user", "clientTime", "exposures"}
_DIGITS = re.compile("-?[0-9]{1,19}", re.ASCII)

_formats = FormatChecker([])


@_formats.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int | float) or int(value) in _INT64


def _validator(path: str) -> Draft202012Validator:
    schema = body_schema(path)
    of_request = schema["properties"] | {"user": USER_SCHEMA}
    return Draft202012Validator(schema | {"properties": of_request}, format_checker=_formats)


_VALIDATORS = {path: _validator(path) for path in PATHS}


class _Object(list[tuple[str, Any]]):
    """Members in their order; a key may stand twice."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a body must come to.

    Attributes:
        is_valid: it is accepted.
        rows: of each event the columns of the contract's fields.
    """

    is_valid: bool
    rows: list[dict[str, Any]] = field(default_factory=list)


def expected_of(body: bytes, path: str) -> Expected:
    """What must become of a body at a path of the contract."""
    tree = _parsed(body)
    if tree is _NO_JSON or not all(_VALIDATORS[path].is_valid(doc) for doc in _documents(_lenient(tree, path))):
        return Expected(is_valid=False)
    return Expected(is_valid=True, rows=list(_rows(body.decode(), path)))


def is_named_by(place: str, body: bytes) -> bool:
    """Whether a path leads to something in the body, or to something that is missing in an object that is there."""
    if place == "body":
        return True
    # The text itself: it may be no JSON.
    names = [name.partition("[")[0] for name in place.split(".")]
    tree = _parsed(body)
    if tree is _NO_JSON:
        return names[0] in _OF_REQUEST | _NAMED["event"] | set(_OF_ONE_EVENT)
    return any(_leads_to(document, place) for document in _documents(tree))


def _leads_to(document: Any, place: str) -> bool:
    *parents, last = place.replace("[", ".[").split(".")
    value = document
    for name in parents:
        try:
            value = value[int(name[1:-1])] if name.startswith("[") else value[name]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(value, list) if last.startswith("[") else isinstance(value, dict)


_NO_JSON = object()


def _parsed(body: bytes) -> Any:
    """A tree of objects, lists and leaves; _NO_JSON if it is none, or none that the service can take."""
    try:
        text = body.decode()
        if _depth(text) > _MAX_DEPTH:
            return _NO_JSON
        tree = json.loads(
            text, object_pairs_hook=_Object, parse_int=_integer, parse_float=float, parse_constant=_no_constant
        )
        json.dumps(tree, ensure_ascii=False).encode()  # half a surrogate pair can't be
    except (UnicodeError, JSONDecodeError, RecursionError):
        return _NO_JSON
    return tree


def _integer(text: str) -> int:
    # Python reads no more than 4,300 digits; all of these are beyond 64 bits.
    return int(text) if len(text) < 100 else 10**100


def _no_constant(name: str) -> Any:
    raise JSONDecodeError(f"{name} is no JSON", "", 0)


def _depth(text: str) -> int:
    depth = deepest = 0
    within = escaped = False
    for character in text:
        if within:
            within = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            within = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _lenient(tree: Any, path: str) -> Any:
    """The tree in the contract's words."""
    if not isinstance(tree, _Object):
        return tree
    if path == _WEBHOOK and _told(tree, "event"):
        return _Object() if _told(tree, "events") else _Object([("events", [_lenient_event(_as_event(tree))])])
    members = _Object()
    has_user = [value for key, value in tree if key == "user"][-1:] not in ([], [None])
    for key, value in tree:
        if key == "events" and isinstance(value, list) and not isinstance(value, _Object):
            members.append((key, [_lenient_event(event, has_user=has_user) for event in value]))
        elif key == "user":
            members.append((key, _lenient_user(value)))
        elif key == "statsigMetadata" and path == "/log_event":
            members += [(key, _without_nulls(value, _OPTIONAL_OF_SDK))] if value is not None else []
        elif not (key == "events" and value is None):
            members.append((key, value))
    # Null is as good as nothing, but each occurrence counts.
    return _Object() if ("events", None) in tree else members


def _told(members: _Object, name: str) -> bool:
    return any(key == name and value is not None for key, value in members)


def _as_event(tree: _Object) -> _Object:
    """One event of a webhook as an event of the contract; where it doesn't say when, at 0."""
    event = _Object(
        (_OF_ONE_EVENT.get(key, key), value)
        for key, value in tree
        if key not in _OF_ONE_EVENT.values() and not (key == "timestamp" and value is None)
    )
    return event if _told(event, "time") else _Object([*event, ("time", 0)])


def _lenient_event(event: Any, *, has_user: bool = False) -> Any:
    if not isinstance(event, _Object):
        return event
    members = _without_nulls(event, ("value", "metadata"))
    if any((name, None) in event for name in ("eventName", "time")):
        return _Object()  # missing, in one occurrence
    keys = [key for key, _ in event]
    names = [value for key, value in event if key == "eventName"]
    of_itself = bool(names) and isinstance(names[-1], str) and names[-1].startswith("statsig::")
    if "user" not in keys and (has_user or of_itself):
        members.append(("user", _Object()))
    return _Object(
        (key, _lenient_user(value) if key == "user" else _lenient_time(value) if key == "time" else value)
        for key, value in members
    )


def _lenient_time(time: Any) -> Any:
    if not isinstance(time, str):
        return time
    if _is_digits(time):
        return int(time)
    try:
        datetime.fromisoformat(time)
    except ValueError:
        return time
    return 0


def _is_digits(time: str) -> bool:
    # Eight are a date.
    return _DIGITS.fullmatch(time) is not None and len(time.lstrip("-")) != 8


def _lenient_user(user: Any) -> Any:
    if user is None:
        return _Object()
    members = _without_nulls(user, _OPTIONAL_OF_USER)
    if not isinstance(members, _Object):
        return members
    return _Object((key, _lenient_of_user(key, value)) for key, value in members)


def _lenient_of_user(key: str, value: Any) -> Any:
    if key == "userID" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if key == "customIDs" and isinstance(value, _Object):
        return _Object((name, one) for name, one in value if one is not None)
    return value


def _without_nulls(value: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(value, _Object):
        return value
    return _Object((key, one) for key, one in value if not (one is None and key in names))


def _documents(tree: Any) -> Iterator[Any]:
    """The tree as plain values; of a key that stands twice each occurrence is in one of them."""
    if isinstance(tree, _Object):
        last = {key: next(_documents(value)) for key, value in tree}
        yield last
        for key, value in tree:
            for other in _documents(value):
                # By their texts: to Python, false is 0.
                if repr(other) != repr(last[key]):
                    yield last | {key: other}
    elif isinstance(tree, list):
        firsts = [next(_documents(item)) for item in tree]
        yield firsts
        for index, item in enumerate(tree):
            for other in list(_documents(item))[1:]:
                yield [*firsts[:index], other, *firsts[index + 1 :]]
    else:
        yield tree


# Rows: what stands in the text, character by character.

_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE = " \t\n\r"


def _skipped(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _members(text: str) -> dict[str, str]:
    """Of an object the exact text of each value; of a key that stands twice the last."""
    found: dict[str, str] = {}
    at = _skipped(text, _skipped(text, 0) + 1)
    while text[at] != "}":
        key, at = scanstring(text, at + 1, True)
        at = _skipped(text, _skipped(text, at) + 1)
        end = _DECODER.raw_decode(text, at)[1]
        found[key] = text[at:end]
        at = _skipped(text, end)
        at = _skipped(text, at + 1) if text[at] == "," else at
    return found


def _items(text: str) -> Iterator[str]:
    at = _skipped(text, 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield text[at:end]
        at = _skipped(text, end)
        at = _skipped(text, at + 1) if text[at] == "," else at


def _rows(text: str, path: str) -> Iterator[dict[str, Any]]:
    request = _members(text)
    if path == _WEBHOOK and request.get("event", "null") != "null":
        event = {key: one for key, one in request.items() if key not in _OF_ONE_EVENT.values()}
        request = {"events": f"[{_renamed(event)}]"}
    about = request.get("statsigMetadata", "null") if path == "/log_event" else "null"
    said = _members(about) if about != "null" else {}
    of_request = {
        "sdk_type": _string(said, "sdkType"),
        "sdk_version": _string(said, "sdkVersion"),
        "session_id": _string(said, "sessionID"),
        "sdk_metadata": None if about == "null" else about,
    }
    others = {
        "request": _others(request, "request", {"events"} | ({"statsigMetadata"} if path == "/log_event" else set()))
    }
    for item in _items(request["events"]):
        event = _members(item)
        sent = next((one for one in (event.get("user"), request.get("user")) if one not in {None, "null"}), "null")
        user = _members(sent) if sent != "null" else {}
        ids = json.loads(user.get("customIDs", "null")) or {}
        more = others | {
            "event": _others(event, "event", _NAMED["event"]),
            "user": _others(user, "user", _NAMED["user"]),
        }
        yield of_request | {
            "event_name": json.loads(event["eventName"]),
            "time_ms": _milliseconds(event.get("time", "null")),
            "user_id": _text(user.get("userID", "null")),
            "user_email": _string(user, "email"),
            "user_custom": _free_form(user, "custom"),
            "user_custom_ids": {name: one for name, one in ids.items() if one is not None} or None,
            "metadata": _free_form(event, "metadata"),
            "value": _exact(event.get("value", "null")),
            "extra": {level: members for level, members in more.items() if members},
        }


def _renamed(event: dict[str, str]) -> str:
    members = ((_OF_ONE_EVENT.get(key, key), one) for key, one in event.items() if key != "events")
    return "{" + ",".join(f"{json.dumps(key)}:{one}" for key, one in members) + "}"


def _others(members: dict[str, str], level: str, named: set[str]) -> dict[str, Any]:
    """What has no column, by its exact value; null is as good as nothing."""
    return {
        key: exact_value(text) for key, text in members.items() if key not in named | _BEYOND[level] and text != "null"
    }


def exact_value(text: str) -> Any:
    """A JSON value with numbers as their text."""
    return json.loads(text, parse_int=str, parse_float=str)


def _string(members: dict[str, str], name: str) -> str | None:
    found: str | None = json.loads(members.get(name, "null"))
    return found


def _free_form(members: dict[str, str], name: str) -> str | None:
    text = members.get(name, "null")
    return None if text == "null" else text


def _text(text: str) -> str | None:
    found: str | None = json.loads(text) if text.startswith('"') or text == "null" else text
    return found


def _milliseconds(text: str) -> int | None:
    if text == "null":
        return None
    if text.startswith('"') and _is_digits(json.loads(text)):
        return int(json.loads(text))
    if text.startswith('"'):
        moment = datetime.fromisoformat(json.loads(text))
        epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        since = (moment if moment.tzinfo else moment.replace(tzinfo=epoch.tzinfo)) - epoch
        return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) // 1000
    return int(float(text)) if set(text) & set(".eE") else int(text)


def _exact(text: str) -> Decimal | str | None:
    if text == "null":
        return None
    return json.loads(text) if text.startswith('"') else Decimal(text)  # type: ignore[no-any-return]  # text or number
