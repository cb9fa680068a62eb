"""Bodies that hold more than SDKs are known to send, read member by member.

Nothing is lost: a member without a column, or with a type that its column can't hold, goes to the `extra` of its level
with its exact text. A key that stands twice counts as its last. Members that are null are absent.

The other two forms of bodies are always read so: one event as webhooks in the wild post it, and exposures that an
application logs itself, which become events as SDKs send them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from sluice.contract import CLIENT_TIME, milliseconds_of
from sluice.lake.exposures import CONFIG_EXPOSURE, GATE_EXPOSURE
from sluice.lake.fields import UndecodableBody
from sluice.lake.json_shapes import ABSENT, NOT_SAID, About, Environment, Event, ExtraTexts, KnownRequest, Request, User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "about_of",
    "open_exposures",
    "open_request",
    "open_webhook_event",
    "read_events",
    "read_exposures",
    "read_webhook_events",
    "request_of",
]

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_OPTIONAL_TEXT = msgspec.json.Decoder(str | None)
_CUSTOM_IDS = msgspec.json.Decoder(dict[str, str | None] | None)
_ABOUT = msgspec.json.Decoder(About)
_KEY = msgspec.json.Encoder()

_NULL = b"null"


class _Members:
    """The members of one object that are not null, taken out one by one; what is left is extra."""

    def __init__(self, members: Mapping[str, msgspec.Raw]) -> None:
        self._left = {key: raw for key, raw in members.items() if not _is_null(raw)}

    def raw(self, key: str) -> msgspec.Raw:
        """Take a member of any type."""
        return self._left.pop(key, ABSENT)

    def put_back(self, key: str, raw: msgspec.Raw) -> None:
        """Leave a member that was taken to what is extra."""
        self._left[key] = raw

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
        return _object_text(self._left) if self._left else None


def request_of(known: KnownRequest) -> Request:
    """A body that holds nothing but what SDKs are known to send."""
    request = Request(events=known.events, idempotency_key=known.idempotency_key, user=known.user)
    metadata = known.statsig_metadata
    if _is_null(metadata):
        return request
    text = _text_of(metadata)
    if not text.startswith("{"):
        return replace(request, extra=f'{{"statsigMetadata":{text}}}')
    return replace(request, about=about_of(metadata), sdk_metadata=text)


def open_request(body: bytes | memoryview) -> tuple[Request, list[msgspec.Raw]]:
    """Read any body that a door accepts but for its events, which are only told apart.

    Raises:
        UndecodableBody: a member of the contract has a type that no door accepts.
        msgspec.MsgspecError: the same, or it is no JSON.
    """
    return _open(body, "events")


def open_exposures(body: bytes | memoryview) -> tuple[Request, list[msgspec.Raw]]:
    """As `open_request`, of `exposures`."""
    return _open(body, "exposures")


def open_webhook_event(body: bytes | memoryview) -> tuple[Request, list[msgspec.Raw]]:
    """As `open_request`, of one event, which is the body itself."""
    members = _Members(_MEMBERS.decode(body))
    return replace(_request(members), extra=None), [msgspec.Raw(body)]


def _open(body: bytes | memoryview, key: str) -> tuple[Request, list[msgspec.Raw]]:
    members = _Members(_MEMBERS.decode(body))
    raws = _EVENTS.decode(members.raw(key))
    members.raw(CLIENT_TIME)
    user, user_extra = _shared_user(members)
    return replace(_request(members), user=user, user_extra=user_extra, extra=members.rest()), raws


def _request(members: _Members) -> Request:
    metadata = members.object("statsigMetadata")
    return Request(
        events=[],
        idempotency_key=members.text("idempotencyKey"),
        about=NOT_SAID if metadata is None else about_of(metadata),
        sdk_metadata=None if metadata is None else _text_of(metadata),
    )


def read_events(raws: Sequence[msgspec.Raw]) -> tuple[list[Event], list[ExtraTexts]]:
    """Read events of any content that a door accepts. Raises as `open_request` does."""
    return _read(raws, _event)


def read_webhook_events(raws: Sequence[msgspec.Raw]) -> tuple[list[Event], list[ExtraTexts]]:
    """As `read_events`, of what `open_webhook_event` gave."""
    return _read(raws, _webhook_event)


def read_exposures(raws: Sequence[msgspec.Raw]) -> tuple[list[Event], list[ExtraTexts]]:
    """As `read_events`, of what `open_exposures` gave."""
    return _read(raws, _exposure)


def _read(
    raws: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], tuple[Event, ExtraTexts]]
) -> tuple[list[Event], list[ExtraTexts]]:
    found = [read(raw) for raw in raws]
    return [event for event, _ in found], [extra for _, extra in found]


def _event(raw: msgspec.Raw) -> tuple[Event, ExtraTexts]:
    return _event_of(_Members(_MEMBERS.decode(raw)), name="eventName", time="time")


def _webhook_event(body: msgspec.Raw) -> tuple[Event, ExtraTexts]:
    members = _Members(_MEMBERS.decode(body))
    _request(members)
    return _event_of(members, name="event", time="timestamp")


def _event_of(members: _Members, *, name: str, time: str) -> tuple[Event, ExtraTexts]:
    user, user_extra = _user(members.raw("user"))
    event = Event(
        event_name=_TEXT.decode(members.raw(name)),
        user=user,
        time=_time_ms(members.raw(time)),
        value=members.raw("value"),
        metadata=members.raw("metadata"),
        secondary_exposures=members.raw("secondaryExposures"),
        event_id=members.text("eventID"),
    )
    return event, ExtraTexts(event=members.rest(), user=user_extra)


def _exposure(raw: msgspec.Raw) -> tuple[Event, ExtraTexts]:
    """An exposure as the event that an SDK would send of it, with the group in its metadata besides."""
    members = _Members(_MEMBERS.decode(raw))
    user, user_extra = _user(members.raw("user"))
    gate, experiment = members.raw("gateName"), members.raw("experimentName")
    group, rule_id = members.raw("group"), members.raw("ruleID")
    is_gate = not _is_null(gate)
    said = {
        "gate": gate,
        "config": experiment,
        "gateValue": members.raw("passes") if is_gate else ABSENT,
        # Whoever knows the group alone has no rule to name: the group stands for it.
        "ruleID": rule_id if _is_said(rule_id) else group,
        "group": group,
    }
    event = Event(
        event_name=GATE_EXPOSURE if is_gate else CONFIG_EXPOSURE,
        user=user,
        time=_time_ms(members.raw("time")),
        metadata=msgspec.Raw(_object_text({key: raw for key, raw in said.items() if not _is_null(raw)}).encode()),
        secondary_exposures=members.raw("secondaryExposures"),
    )
    return event, ExtraTexts(event=members.rest(), user=user_extra)


def _is_said(raw: msgspec.Raw) -> bool:
    return not _is_null(raw) and bytes(raw) != b'""'


def _shared_user(members: _Members) -> tuple[User | None, str | None]:
    """The request's own user. What is none stays: before there were shared users, any door took it."""
    raw = members.raw("user")
    try:
        return _user(raw)
    except msgspec.ValidationError:
        members.put_back("user", raw)
        return None, None


def _user(raw: msgspec.Raw) -> tuple[User | None, str | None]:
    if _is_null(raw):
        return None, None
    members = _Members(_MEMBERS.decode(raw))
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


def about_of(metadata: msgspec.Raw) -> About:
    """What the columns take from `statsigMetadata`, an object."""
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


def _object_text(members: Mapping[str, msgspec.Raw]) -> str:
    return f"{{{','.join([f'{_key_text(key)}:{_text_of(raw)}' for key, raw in members.items()])}}}"


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
