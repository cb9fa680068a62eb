"""An event as bytes of a request, and back.

An encoded event is a serialized LogEventRequest of this one event. Serialized messages that stand one behind the other
are read as one message that has all their events, so a batch is never serialized again, whatever becomes of it; and
ReceiveWebhookEventRequest has its events in the same field.

Everything that the server would refuse is refused here, at the call, where the caller can see it: types, text that is
no UTF-8, NaN, nesting. What is accepted is copied: what the caller does with its objects afterwards changes nothing.

An error's path names keys of the caller's own mappings, never their values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import NULL_VALUE

from sluice.client.errors import InvalidEvent
from sluice.client.event import Event, User
from sluice.client.event_id import new_event_id
from sluice.contract import INT64_MAX, INT64_MIN, INTERNAL_EVENT_PREFIX
from sluice.events.v1 import events_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import ListValue, Struct, Value

    from sluice.client.event import JSONValue

__all__ = ["decode", "encode", "event_id_of"]

# docs/contract.md, "Limits": beyond it, protobuf's own parser refuses the request.
_MOST_LEVELS = 32
# Integers up to here are doubles, each its own.
_EXACT_INTEGERS = 2**53
_LONGEST_KEY_IN_PATH = 40
_TOO_LARGE_HINT = "raise batch_bytes, and the server's --max-body where that is less"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_USER_TEXTS = {
    name: f"user.{name}" for name in ("user_id", "email", "ip", "user_agent", "country", "locale", "app_version")
}


def encode(event: Event, *, now_ms: int, most_bytes: int) -> tuple[str, bytes]:
    """Check an event and turn it into bytes. 6 µs.

    Args:
        event: what is logged.
        now_ms: its time if it has none, in ms since the epoch.
        most_bytes: how large it may be.

    Returns:
        Its id, the caller's or a new one, and a serialized LogEventRequest that holds it alone.

    Raises:
        InvalidEvent: it breaks the contract.
    """
    if not isinstance(event, Event):
        raise InvalidEvent("", f"expected sluice.client.Event, got {_kind(event)}")
    request = pb.LogEventRequest()
    message = request.events.add()
    message.event_name = _text(event.event_name, "event_name")
    _put_user(message, event)
    message.time = now_ms if event.time is None else _milliseconds(event.time)
    if event.value is not None:
        _put_value(message.value, event.value)
    if event.metadata is not None:
        message.metadata.SetInParent()
        _put_members(message.metadata, event.metadata, "metadata", 1)
    if event.secondary_exposures is not None:
        for index, exposure in enumerate(_sequence(event.secondary_exposures, "secondary_exposures")):
            _put_members(message.secondary_exposures.add(), exposure, f"secondary_exposures[{index}]", 1)
    event_id = new_event_id() if event.event_id is None else _text(event.event_id, "event_id")
    message.event_id = event_id
    encoded = request.SerializeToString()
    if len(encoded) > most_bytes:
        raise InvalidEvent("", f"expected at most {most_bytes} bytes, got {len(encoded)}", hint=_TOO_LARGE_HINT)
    return event_id, encoded


def decode(encoded: bytes) -> Event:
    """The event of which the bytes were made: equal, but that integers from free-form floats stay integers."""
    message = pb.LogEventRequest.FromString(encoded).events[0]
    kind = message.value.WhichOneof("kind")
    return Event(
        message.event_name,
        _user_of(message.user) if message.HasField("user") else None,
        value=None if kind is None else getattr(message.value, kind),
        metadata=_object_of(message.metadata) if message.HasField("metadata") else None,
        time=message.time,
        event_id=message.event_id,
        secondary_exposures=[_object_of(exposure) for exposure in message.secondary_exposures] or None,
    )


def event_id_of(encoded: bytes) -> str:
    """The id of the event alone."""
    return pb.LogEventRequest.FromString(encoded).events[0].event_id


def _put_user(message: pb.Event, event: Event) -> None:
    user = event.user
    if user is None:
        if event.event_name.startswith(INTERNAL_EVENT_PREFIX):
            return
        raise InvalidEvent("user", "missing", hint="an anonymous user is User()")
    into = message.user
    into.SetInParent()
    if isinstance(user, str):
        into.user_id = _text(user, "user")
        return
    if not isinstance(user, User):
        raise InvalidEvent("user", f"expected sluice.client.User or text, got {_kind(user)}")
    for name, path in _USER_TEXTS.items():
        text = getattr(user, name)
        if text is not None:
            setattr(into, name, _text(text, path))
    if user.environment is not None:
        into.statsig_environment.tier = _text(user.environment, "user.environment")
    if user.custom is not None:
        into.custom.SetInParent()
        _put_members(into.custom, user.custom, "user.custom", 1)
    if user.custom_ids is not None:
        for kind, value in _mapping(user.custom_ids, "user.custom_ids").items():
            if not isinstance(value, str):
                raise InvalidEvent(_member("user.custom_ids", kind), f"expected text, got {_kind(value)}")
            into.custom_ids[_text(kind, "user.custom_ids")] = _text(value, "user.custom_ids")


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidEvent(path, f"expected text, got {_kind(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidEvent(path, "expected text, got half a surrogate pair") from None
    return value


def _milliseconds(time: object) -> int:
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InvalidEvent("time", "expected a time zone, got a datetime without", hint="datetime.now(UTC)")
        return (time - _EPOCH) // _MILLISECOND
    if not isinstance(time, int) or isinstance(time, bool):
        raise InvalidEvent("time", f"expected datetime or integer (ms since epoch), got {_kind(time)}")
    if not INT64_MIN <= time <= INT64_MAX:
        raise InvalidEvent("time", "expected integer (ms since epoch) of 64 bits, got a larger one")
    return time


def _put_value(into: Value, value: object) -> None:
    if isinstance(value, str):
        into.string_value = _text(value, "value")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidEvent("value", f"expected number or text, got {_kind(value)}")
    elif isinstance(value, int) and not _is_double(value):
        # As text it keeps every digit, and is a number in the lake all the same.
        into.string_value = _digits(value, "value")
    else:
        into.number_value = _finite(value, "value")


def _put_members(into: Struct, members: object, path: str, level: int) -> None:
    fields = into.fields
    for key, value in _mapping(members, path).items():
        _put_json(fields[_text(key, path)], value, path, key, level)


def _put_json(into: Value, value: object, path: str, key: str | int, level: int) -> None:  # noqa: PLR0911  a case each
    """Put a JSON value, the likely kinds first. Its path is put together only where it is needed."""
    match value:
        case str():
            into.string_value = value if value.isascii() else _text(value, _member(path, key))
            return
        case None:
            into.null_value = NULL_VALUE
            return
        case bool():
            into.bool_value = value
            return
        case int():
            if not _is_double(value):
                problem = "expected integer that a double holds exactly, got a larger one"
                raise InvalidEvent(_member(path, key), problem, hint="send it as text")
            into.number_value = value
            return
        case float():
            into.number_value = value if math.isfinite(value) else _finite(value, _member(path, key))
            return
        case Mapping():
            _check_level(level, _member(path, key))
            into.struct_value.SetInParent()
            _put_members(into.struct_value, value, _member(path, key), level + 1)
            return
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            _check_level(level, _member(path, key))
            into.list_value.SetInParent()
            for index, item in enumerate(value):
                _put_json(into.list_value.values.add(), item, _member(path, key), index, level + 1)
            return
        case _:
            raise InvalidEvent(_member(path, key), f"expected a JSON value, got {_kind(value)}")


def _check_level(level: int, path: str) -> None:
    if level >= _MOST_LEVELS:
        # The path alone would be longer than a message should be.
        raise InvalidEvent(path[:200], f"expected at most {_MOST_LEVELS} levels of nesting, got a deeper one")


def _is_double(value: int) -> bool:
    if -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS:
        return True
    try:
        return float(value) == value
    except OverflowError:
        return False


def _digits(value: int, path: str) -> str:
    try:
        return str(value)
    except ValueError:  # sys.set_int_max_str_digits
        raise InvalidEvent(path, "expected a number, got one of thousands of digits") from None


def _finite(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise InvalidEvent(path, "expected a finite number, got NaN or Infinity")
    return value


def _mapping(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise InvalidEvent(path, f"expected mapping, got {_kind(value)}")
    return value


def _sequence(value: object, path: str) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
        raise InvalidEvent(path, f"expected sequence, got {_kind(value)}")
    return value


def _member(path: str, key: object) -> str:
    name = repr(key) if isinstance(key, str | int) else _kind(key)
    return f"{path}[{name if len(name) <= _LONGEST_KEY_IN_PATH else name[:_LONGEST_KEY_IN_PATH] + '…'}]"


def _kind(value: object) -> str:
    return type(value).__qualname__


def _user_of(message: pb.User) -> User:
    texts: dict[str, str] = {field.name: text for field, text in message.ListFields() if field.name in _USER_TEXTS}
    return User(
        **texts,
        custom=_object_of(message.custom) if message.HasField("custom") else None,
        custom_ids=dict(message.custom_ids) or None,
        environment=message.statsig_environment.tier if message.HasField("statsig_environment") else None,
    )


def _object_of(struct: Struct) -> dict[str, JSONValue]:
    return {key: _json_of(value) for key, value in struct.fields.items()}


def _list_of(values: ListValue) -> list[JSONValue]:
    return [_json_of(value) for value in values.values]


def _json_of(value: Value) -> JSONValue:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT_INTEGERS else number
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return _object_of(value.struct_value)
        case "list_value":
            return _list_of(value.list_value)
        case _:
            return None
