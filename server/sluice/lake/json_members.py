"""Bodies that hold more than SDKs are known to send, read member by member.

Nothing is lost: a member without a column, or with a type that its column can't hold, goes to the `extra` of its level
with its exact text. A key that stands twice counts as its last. Members that are null are absent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from sluice.contract import milliseconds_of
from sluice.lake.fields import UndecodableBody
from sluice.lake.json_shapes import ABSENT, NOT_SAID, About, Environment, Event, ExtraTexts, KnownRequest, Request, User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["open_request", "read_events", "read_request", "request_of"]

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OPTIONAL_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_OPTIONAL_TEXT = msgspec.json.Decoder(str | None)
_CUSTOM_IDS = msgspec.json.Decoder(dict[str, str | None] | None)
_ABOUT = msgspec.json.Decoder(About)
_KEY = msgspec.json.Encoder()

_NULL = b"null"


class _Members:
    """The members of one object that are not null, taken out one by one; what is left is extra."""

    def __init__(self, members: Mapping[str, msgspec.Raw] | None) -> None:
        self._left = {} if members is None else {key: raw for key, raw in members.items() if not _is_null(raw)}

    def raw(self, key: str) -> msgspec.Raw:
        """Take a member of any type."""
        return self._left.pop(key, ABSENT)

    def text(self, key: str) -> str | None:
        """Take a member if it is text; one of another type stays."""
        raw = self._left.get(key)
        if raw is None:
            return None
        try:
            text = _TEXT.decode(raw)
        except msgspec.ValidationError:
            return None
        del self._left[key]
        return text

    def object(self, key: str) -> msgspec.Raw | None:
        """Take a member if it is an object; one of another type stays."""
        raw = self._left.get(key)
        return None if raw is None or bytes(memoryview(raw)[:1]) != b"{" else self._left.pop(key)

    def environment(self, key: str) -> Environment | None:
        """The tier of an environment, which stays in whole where it holds more than a tier that is text."""
        raw = self._left.get(key)
        if raw is None:
            return None
        try:
            members = _Members(_MEMBERS.decode(raw))
        except msgspec.ValidationError:
            return None
        environment = Environment(tier=members.text("tier"))
        if members.rest() is None:
            del self._left[key]
        return environment

    def rest(self) -> str | None:
        """What was not taken, as the text of a JSON object with the exact texts of its members."""
        if not self._left:
            return None
        return f"{{{','.join([f'{_key_text(key)}:{_text_of(raw)}' for key, raw in self._left.items()])}}}"


def request_of(known: KnownRequest) -> Request:
    """A body that holds nothing but what SDKs are known to send."""
    metadata = known.statsig_metadata
    if _is_null(metadata):
        return Request(events=known.events, idempotency_key=known.idempotency_key)
    text = _text_of(metadata)
    if not text.startswith("{"):
        extra = f'{{"statsigMetadata":{text}}}'
        return Request(events=known.events, idempotency_key=known.idempotency_key, extra=extra)
    return Request(
        events=known.events, idempotency_key=known.idempotency_key, about=_about(metadata), sdk_metadata=text
    )


def read_request(body: bytes) -> Request:
    """Read any body that a door accepts.

    Raises:
        UndecodableBody: a member of the contract has a type that no door accepts.
        msgspec.MsgspecError: the same, or it is no JSON.
    """
    request, raws = open_request(body)
    events, extras = read_events(raws)
    return replace(request, events=events, event_extras=extras)


def open_request(body: bytes) -> tuple[Request, list[msgspec.Raw]]:
    """Read a body but for its events, which are only told apart. Raises as `read_request` does."""
    members = _Members(_MEMBERS.decode(body))
    raws = _EVENTS.decode(members.raw("events"))
    metadata = members.object("statsigMetadata")
    request = Request(
        events=[],
        idempotency_key=members.text("idempotencyKey"),
        about=NOT_SAID if metadata is None else _about(metadata),
        sdk_metadata=None if metadata is None else _text_of(metadata),
        extra=members.rest(),
    )
    return request, raws


def read_events(raws: Sequence[msgspec.Raw]) -> tuple[list[Event], list[ExtraTexts]]:
    """Read events of any content that a door accepts. Raises as `read_request` does."""
    found = [_event(raw) for raw in raws]
    return [event for event, _ in found], [extra for _, extra in found]


def _event(raw: msgspec.Raw) -> tuple[Event, ExtraTexts]:
    members = _Members(_MEMBERS.decode(raw))
    user, user_extra = _user(members.raw("user"))
    event = Event(
        event_name=_TEXT.decode(members.raw("eventName")),
        user=user,
        time=_time_ms(members.raw("time")),
        value=members.raw("value"),
        metadata=members.raw("metadata"),
        secondary_exposures=members.raw("secondaryExposures"),
        event_id=members.text("eventID"),
    )
    return event, ExtraTexts(event=members.rest(), user=user_extra)


def _user(raw: msgspec.Raw) -> tuple[User, str | None]:
    members = _Members(_OPTIONAL_MEMBERS.decode(raw))
    user = User(
        user_id=_text_or_number(members.raw("userID")),
        email=_OPTIONAL_TEXT.decode(members.raw("email")),
        custom=members.raw("custom"),
        custom_ids=_CUSTOM_IDS.decode(members.raw("customIDs")),
        ip=members.text("ip"),
        user_agent=members.text("userAgent"),
        country=members.text("country"),
        locale=members.text("locale"),
        app_version=members.text("appVersion"),
        statsig_environment=members.environment("statsigEnvironment"),
    )
    return user, members.rest()


def _about(metadata: msgspec.Raw) -> About:
    try:
        return _ABOUT.decode(metadata)
    except msgspec.ValidationError:
        # A webhook may send anything: what isn't text is in sdk_metadata alone.
        members = _Members(_MEMBERS.decode(metadata))
        return About(
            sdk_type=members.text("sdkType"),
            sdk_version=members.text("sdkVersion"),
            session_id=members.text("sessionID"),
            stable_id=members.text("stableID"),
        )


def _is_null(raw: msgspec.Raw) -> bool:
    return len(raw) == len(_NULL) and bytes(raw) == _NULL


def _text_of(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


def _key_text(key: str) -> str:
    return _KEY.encode(key).decode()


def _text_or_number(raw: msgspec.Raw) -> str | None:
    """A text, or the exact text of a number: statsig-node sends a number as userID."""
    try:
        text: str | None = _OPTIONAL_TEXT.decode(raw)
    except msgspec.ValidationError:
        text = _text_of(raw)
        if text[0] not in "-0123456789":
            raise
    return text


def _time_ms(raw: msgspec.Raw) -> int | None:
    """An event's time in any form that a door accepts."""
    if _is_null(raw):
        return None
    time_ms = milliseconds_of(msgspec.json.decode(raw))
    if time_ms is None:
        raise UndecodableBody("a time is in no accepted form")
    return time_ms
