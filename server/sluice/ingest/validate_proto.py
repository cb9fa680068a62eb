"""Whether a typed protobuf request keeps the contract: the same rules as for JSON, by protobuf's own parser.

Messages that Envoy made of JSON are held to the contract of the JSON API, and told of in its words. What JSON said may
no longer be seen: a missing `events` is an empty one here, and so neither is accepted; `"user":null` is no user.

The parser itself refuses text that is not UTF-8, and messages nested deeper than 100, which is 32 levels of a Struct.
Types are the schema's; what remains is what must be there, which kinds a Value may have, and NaN and Infinity, which
JSON doesn't have and a reader of the lake would stumble over.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeAlias

from google.protobuf.message import DecodeError

from sluice.contract import INTERNAL_EVENT_PREFIX
from sluice.events.v1 import events_pb2 as pb
from sluice.ingest.compiled_check import COMPILED
from sluice.ingest.validate import Unclear, Valid, shared_user_is_too_large
from sluice.ingest.violations import MISSING, Invalid, Violation, invalid_request, violations_of_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.struct_pb2 import ListValue, Struct, Value

__all__ = [
    "LOG_EVENT_REQUEST",
    "LOG_EVENT_REQUEST_OF_JSON",
    "RECEIVE_WEBHOOK_EVENT_REQUEST",
    "ProtoShape",
]

_Request: TypeAlias = pb.LogEventRequest | pb.ReceiveWebhookEventRequest

# Value.number_value (field 2, 8 bytes) with all bits of the exponent set: NaN or Infinity. A match may be something
# else by chance; without one there is none, and the Structs need not be gone through.
_MAYBE_NOT_FINITE = re.compile(rb"\x11.{6}[\xf0-\xff][\x7f\xff]", re.DOTALL)


# What is looked at quickly: of so many bytes, so many events, and where all numbers are gone through so many bytes.
_QUICK_BYTES = 256 * 1024
_QUICK_EVENTS = 1_000
_QUICK_BYTES_TO_GO_THROUGH = 8 * 1024


class ProtoShape:
    """What a typed door's message must be.

    Args:
        message: its type.
        of_json: Envoy made it of a JSON body.
    """

    def __init__(self, message: type[_Request], *, of_json: bool = False) -> None:
        self._message = message
        self._of_json = of_json
        self._may_be_sure = message is pb.LogEventRequest and not of_json

    def check(self, body: bytes) -> Valid | Invalid | Unclear:
        """Check a message that takes a few milliseconds at most; a body of 10 MiB can hold 5 million events."""
        sure = COMPILED.events_in_message(body) if self._may_be_sure else None
        if sure is not None:
            events, client_time_ms = sure
            return Valid(event_count=events, client_time_ms=client_time_ms, is_stored_as_it_is=True)
        return self._check(body)

    def _check(self, body: bytes) -> Valid | Invalid | Unclear:
        if len(body) > _QUICK_BYTES:
            return Unclear()
        maybe_not_finite = _MAYBE_NOT_FINITE.search(body) is not None
        if maybe_not_finite and len(body) > _QUICK_BYTES_TO_GO_THROUGH:
            return Unclear()
        try:
            request = self._message.FromString(body)
        except DecodeError:
            return self._not_a_message()
        if len(request.events) > _QUICK_EVENTS:
            return Unclear()
        return self._judge(request, maybe_not_finite=maybe_not_finite)

    def look_closer(self, body: bytes) -> Valid | Invalid:
        """Check a message, whatever is wrong with it. 1.5 µs per event."""
        try:
            request = self._message.FromString(body)
        except DecodeError:
            return self._not_a_message()
        return self._judge(request, maybe_not_finite=_MAYBE_NOT_FINITE.search(body) is not None)

    def _judge(self, request: _Request, *, maybe_not_finite: bool) -> Valid | Invalid:
        of_event = _of_json_event if self._of_json else _of_event
        shares_user = request.HasField("user")
        of_user = _of_shared_user(request.user) if shares_user and maybe_not_finite else ()
        named, invalid_events = violations_of_events(
            of_event(event, index, shares_user=shares_user, maybe_not_finite=maybe_not_finite)
            for index, event in enumerate(request.events)
        )
        events = len(request.events)
        if self._of_json and not events:
            return _NO_EVENTS
        if named or of_user:
            return Invalid(violations=(*of_user, *named), invalid_events=invalid_events, events=events)
        too_large = shared_user_is_too_large(request.user.ByteSize(), events) if shares_user and events else None
        return too_large or Valid(event_count=events, client_time_ms=_client_time(request))

    def client_time(self, body: bytes, found: Valid) -> int | None:  # noqa: ARG002  what was found says it
        """The client's clock as the message tells it."""
        return found.client_time_ms

    def to_store(self, body: bytes) -> bytes:
        """The message as it is: the schema has no privateAttributes."""
        return body

    def _not_a_message(self) -> Invalid:
        if self._of_json:
            expected = "values of the schema's types, at most 32 levels of free-form nesting"
            return invalid_request("body", expected, "others", mend="nest free-form objects less, and write UTF-8")
        expected = f"{self._message.DESCRIPTOR.full_name}, UTF-8, at most 32 levels of free-form nesting"
        mend = "make the message with the classes of its schema"
        return invalid_request("body", expected, "bytes that are none", mend=mend)


LOG_EVENT_REQUEST = ProtoShape(pb.LogEventRequest)
RECEIVE_WEBHOOK_EVENT_REQUEST = ProtoShape(pb.ReceiveWebhookEventRequest)
LOG_EVENT_REQUEST_OF_JSON = ProtoShape(pb.LogEventRequest, of_json=True)

_NO_EVENTS = invalid_request(
    "events",
    "at least one, as this server can't tell an empty list from a missing one",
    "none",
    mend='send {"events":[...]}, or nothing if there are none',
)

# Our own words for what protobuf calls otherwise than the JSON API.
_IN_JSON = {
    "event_name": "eventName",
    "secondary_exposures": "secondaryExposures",
    "sluice.events.v1.User": "object",
    "string, number or null": "string or number",
    "struct": "object",
    "list": "array",
}


def _client_time(request: _Request) -> int | None:
    return request.client_time if isinstance(request, pb.LogEventRequest) and request.HasField("client_time") else None


def _of_shared_user(user: pb.User) -> tuple[Violation, ...]:
    if _struct_is_finite(user.custom):
        return ()
    return (Violation(path="user.custom", expected="finite numbers", found="NaN or Infinity"),)


def _of_json_event(event: pb.Event, index: int, *, shares_user: bool, maybe_not_finite: bool) -> Iterator[Violation]:
    for found in _of_event(event, index, shares_user=shares_user, maybe_not_finite=maybe_not_finite):
        place, _, name = found.path.partition(".")
        yield Violation(
            path=f"{place}.{_IN_JSON.get(name, name)}",
            expected=_IN_JSON.get(found.expected, found.expected),
            found=_IN_JSON.get(found.found, found.found),
        )
    if not event.HasField("time"):
        yield _missing(index, "time", "integer (ms since epoch)")


def _of_event(event: pb.Event, index: int, *, shares_user: bool, maybe_not_finite: bool) -> Iterator[Violation]:
    if not event.HasField("event_name"):
        yield _missing(index, "event_name", "string")
    if not (event.HasField("user") or shares_user or event.event_name.startswith(INTERNAL_EVENT_PREFIX)):
        yield _missing(index, "user", "sluice.events.v1.User")
    # A Value without a kind is taken as null: other languages write null so.
    kind = event.value.WhichOneof("kind") if event.HasField("value") else None
    if kind not in {None, "null_value", "number_value", "string_value"}:
        found = str(kind).removesuffix("_value").replace("bool", "boolean")
        yield Violation(path=f"events[{index}].value", expected="string, number or null", found=found)
    if maybe_not_finite:
        yield from _not_finite(event, index)


def _not_finite(event: pb.Event, index: int) -> Iterator[Violation]:
    places: dict[str, bool] = {
        "value": _value_is_finite(event.value),
        "metadata": _struct_is_finite(event.metadata),
        "user.custom": _struct_is_finite(event.user.custom),
        "secondary_exposures": all(_struct_is_finite(exposure) for exposure in event.secondary_exposures),
    }
    for path, is_finite in places.items():
        if not is_finite:
            yield Violation(path=f"events[{index}].{path}", expected="finite numbers", found="NaN or Infinity")


def _struct_is_finite(struct: Struct) -> bool:
    return all(_value_is_finite(value) for value in struct.fields.values())


def _list_is_finite(values: ListValue) -> bool:
    return all(_value_is_finite(value) for value in values.values)


def _value_is_finite(value: Value) -> bool:
    match value.WhichOneof("kind"):
        case "number_value":
            return math.isfinite(value.number_value)
        case "struct_value":
            return _struct_is_finite(value.struct_value)
        case "list_value":
            return _list_is_finite(value.list_value)
        case _:
            return True


def _missing(index: int, name: str, expected: str) -> Violation:
    return Violation(path=f"events[{index}].{name}", expected=expected, found=MISSING)
