"""Whether a JSON body keeps the contract. Returns what was found; raises nothing.

The fastest way: what is compiled is sure of it (compiled_check.py). The fast way: the whole body is UTF-8 (msgspec does
not check what it skips), it is not nested too deep, and msgspec takes it as one of the door's forms: the strict type,
then the lenient one, then what only this door knows. What none of them takes goes to explain.py, which has the last
word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from sluice.contract import (
    INTERNAL_EVENT_PREFIX,
    MAX_SHARED_USER_BYTES,
    CustomExposuresBody,
    Exposure,
    LenientLogEventBody,
    LenientWebhookBody,
    LogEventBody,
    WebhookBody,
    WebhookEventBody,
    decode_lenient,
)
from sluice.ingest import malformed
from sluice.ingest.caller import client_time_in_body
from sluice.ingest.compiled_check import COMPILED
from sluice.ingest.explain import explain, explain_exposures, explain_webhook
from sluice.ingest.nesting import MAX_DEPTH, too_deep_at
from sluice.ingest.private import without_private_attributes
from sluice.ingest.violations import Invalid, invalid_request
from sluice.log.ports import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CUSTOM_EXPOSURES", "LOG_EVENT", "WEBHOOK", "JsonShape", "Unclear", "Valid", "shared_user_is_too_large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Valid:
    """A body that keeps the contract.

    Attributes:
        event_count: how many events it holds.
        body_format: what it is, where that isn't what the door's bodies are.
        client_time_ms: the client's clock, where a typed message tells it.
        is_stored_as_it_is: it surely holds nothing that is not to be stored.
    """

    event_count: int
    body_format: Body | None = None
    client_time_ms: int | None = None
    is_stored_as_it_is: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """A body that a quick check doesn't take, or can't judge; `look_closer` says what is wrong, if anything."""


_Found: TypeAlias = Valid | Invalid | Unclear


class JsonShape:
    """What a door's JSON body must be.

    Args:
        forms: types of bodies, the most usual first, each with what judges a body that msgspec has taken as one.
        key: of the array that holds its events.
        explain: says all that is wrong with any JSON.
        count: what a body holds with which nothing is wrong.
        takes_client_time: whether the client's clock may stand in the body.
        holds_events: whether it is what the compiled check knows.
    """

    def __init__(
        self,
        *forms: tuple[type[msgspec.Struct], Callable[[Any, bytes], _Found]],
        key: str,
        explain: Callable[[bytes], Invalid | None],
        count: Callable[[bytes], Valid | Invalid],
        takes_client_time: bool = False,
        holds_events: bool = True,
    ) -> None:
        self._forms = [(msgspec.json.Decoder(form, dec_hook=decode_lenient), judge) for form, judge in forms]
        self._key = key
        self._explain = explain
        self._count = count
        self._takes_client_time = takes_client_time
        self._holds_events = holds_events

    def check(self, body: bytes) -> _Found:
        """Check a body quickly: 0.28 µs per event where what is compiled is sure, else 0.83."""
        sure = COMPILED.events_in_json(body) if self._holds_events else None
        if sure is not None:
            return Valid(event_count=sure, is_stored_as_it_is=True)
        return self._check(body)

    def look_closer(self, body: bytes) -> Valid | Invalid:
        """Say what is wrong with a body that `check` found unclear, or that nothing is. Slow: see explain.py."""
        return malformed.not_json(body, self._key) or self._explain(body) or self._count(body)

    def client_time(self, body: bytes, found: Valid) -> int | Invalid | None:  # noqa: ARG002  typed bodies need it
        """The client's clock as a valid body tells it. Only for requests that don't tell it otherwise."""
        return client_time_in_body(body) if self._takes_client_time else None

    def to_store(self, body: bytes) -> bytes:
        """What of a valid body goes to the log."""
        return without_private_attributes(body)

    def _check(self, body: bytes) -> _Found:
        if not body.isascii():
            try:
                body.decode()
            except UnicodeDecodeError as exc:
                return malformed.not_utf8(body, exc.start)
        found = self._find(body)
        # Last, as each event that was counted makes it easier.
        too_deep = too_deep_at(body, side_by_side=found.event_count if isinstance(found, Valid) else 0)
        return found if too_deep is None else malformed.too_deep(body, too_deep, MAX_DEPTH)

    def _find(self, body: bytes) -> _Found:
        for decoder, judge in self._forms:
            try:
                return judge(decoder.decode(body), body)
            except msgspec.ValidationError:
                continue
            except (msgspec.DecodeError, RecursionError):
                break
        return Unclear()


def shared_user_is_too_large(user_bytes: int, event_count: int, *, called: str = "events") -> Invalid | None:
    """Whether a request's own user is too large to stand on the rows of so many events."""
    if user_bytes * event_count <= MAX_SHARED_USER_BYTES:
        return None
    expected = f"at most {MAX_SHARED_USER_BYTES // event_count} bytes where {event_count} {called} share it"
    mend = f"send fewer {called} per request, or a smaller user"
    return invalid_request("user", expected, f"{user_bytes}", mend=mend)


class _Shared(msgspec.Struct, gc=False):
    user: msgspec.Raw = msgspec.Raw(b"null")


class _Events(_Shared, gc=False):
    events: list[msgspec.Raw] | None = None


class _Exposures(_Shared, gc=False):
    exposures: list[msgspec.Raw] = []


_SHARED = msgspec.json.Decoder(_Shared)
_EVENTS = msgspec.json.Decoder(_Events)
_EXPOSURES = msgspec.json.Decoder(_Exposures)
_EXPOSURES_KEY = "exposures"


def _valid(body: bytes, count: int, *, shares_user: bool, called: str = "events") -> Valid | Invalid:
    if shares_user and len(body) * count > MAX_SHARED_USER_BYTES:
        too_large = shared_user_is_too_large(len(_SHARED.decode(body).user), count, called=called)
        if too_large is not None:
            return too_large
    return Valid(event_count=count)


def _strict(decoded: LogEventBody | WebhookBody, body: bytes) -> _Found:
    if decoded.user is None:
        return Valid(event_count=len(decoded.events))
    return _valid(body, len(decoded.events), shares_user=True)


def _lenient(decoded: LenientLogEventBody | LenientWebhookBody, body: bytes) -> _Found:
    if decoded.user is None:
        without_user = [event for event in decoded.events if event.user is msgspec.UNSET]
        if not all(event.event_name.startswith(INTERNAL_EVENT_PREFIX) for event in without_user):
            return Unclear()
    return _valid(body, len(decoded.events), shares_user=decoded.user is not None)


def _strict_webhook(decoded: WebhookBody, body: bytes) -> _Found:
    return _strict(decoded, body) if bytes(decoded.event) == b"null" else Unclear()


def _lenient_webhook(decoded: LenientWebhookBody, body: bytes) -> _Found:
    return _lenient(decoded, body) if bytes(decoded.event) == b"null" else Unclear()


def _webhook_event(decoded: WebhookEventBody, body: bytes) -> _Found:  # noqa: ARG001  others look at it
    if decoded.user is msgspec.UNSET and not decoded.event.startswith(INTERNAL_EVENT_PREFIX):
        return Unclear()
    return _ONE_EVENT


_ONE_EVENT = Valid(event_count=1, body_format=Body.WEBHOOK_EVENT)


def _custom_exposures(decoded: CustomExposuresBody, body: bytes) -> _Found:
    shares_user = decoded.user is not None
    if not all(_is_right(exposure, shares_user=shares_user) for exposure in decoded.exposures):
        return Unclear()
    return _valid(body, len(decoded.exposures), shares_user=shares_user, called=_EXPOSURES_KEY)


def _is_right(exposure: Exposure, *, shares_user: bool) -> bool:
    if exposure.user is msgspec.UNSET and not shares_user:
        return False
    if exposure.gate_name is None:
        named = bool(exposure.experiment_name)
    else:
        named = bool(exposure.gate_name) and exposure.experiment_name is None and exposure.passes is not None
    return named and exposure.group != "" and (exposure.group is not None or exposure.rule_id is not None)


def _counted(body: bytes, items: Sequence[object], user: msgspec.Raw, *, called: str = "events") -> Valid | Invalid:
    return _valid(body, len(items), shares_user=bytes(user) != b"null", called=called)


def _count_events(body: bytes) -> Valid | Invalid:
    found = _EVENTS.decode(body)
    return _counted(body, found.events or (), found.user)


def _count_webhook_events(body: bytes) -> Valid | Invalid:
    found = _EVENTS.decode(body)
    return _ONE_EVENT if found.events is None else _counted(body, found.events, found.user)


def _count_exposures(body: bytes) -> Valid | Invalid:
    found = _EXPOSURES.decode(body)
    return _counted(body, found.exposures, found.user, called=_EXPOSURES_KEY)


LOG_EVENT = JsonShape(
    (LogEventBody, _strict),
    (LenientLogEventBody, _lenient),
    key="events",
    explain=explain,
    count=_count_events,
    takes_client_time=True,
)
# What a webhook sends as statsigMetadata is outside the contract, so it may be anything.
WEBHOOK = JsonShape(
    (WebhookBody, _strict_webhook),
    (LenientWebhookBody, _lenient_webhook),
    (WebhookEventBody, _webhook_event),
    key="events",
    explain=explain_webhook,
    count=_count_webhook_events,
)
CUSTOM_EXPOSURES = JsonShape(
    (CustomExposuresBody, _custom_exposures),
    key=_EXPOSURES_KEY,
    explain=explain_exposures,
    count=_count_exposures,
    holds_events=False,
)
