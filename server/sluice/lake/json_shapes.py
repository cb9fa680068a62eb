"""The shape of JSON bodies as SDKs are known to send them, in structs that msgspec fills in one pass.

A member that is not listed here, or of another type, makes msgspec refuse the body; json_members.py then reads it.
What must keep its exact text is `Raw`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

__all__ = [
    "ABSENT",
    "NOT_SAID",
    "NO_USER",
    "About",
    "Environment",
    "Event",
    "ExtraTexts",
    "KnownRequest",
    "Request",
    "User",
]

# Null means absent, so what is absent is this.
ABSENT = msgspec.Raw(b"null")


class Environment(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """`statsigEnvironment`."""

    tier: str | None = None


class User(
    msgspec.Struct,
    forbid_unknown_fields=True,
    gc=False,
    rename={
        "user_id": "userID",
        "custom_ids": "customIDs",
        "user_agent": "userAgent",
        "app_version": "appVersion",
        "statsig_environment": "statsigEnvironment",
        "analytics_only_metadata": "analyticsOnlyMetadata",
    },
):
    """`user`. js-client and node send analyticsOnlyMetadata."""

    user_id: str | None = None
    email: str | None = None
    custom: msgspec.Raw = ABSENT
    custom_ids: dict[str, str | None] | None = None
    ip: str | None = None
    user_agent: str | None = None
    country: str | None = None
    locale: str | None = None
    app_version: str | None = None
    statsig_environment: Environment | None = None
    analytics_only_metadata: msgspec.Raw = ABSENT


class Event(
    msgspec.Struct,
    forbid_unknown_fields=True,
    gc=False,
    rename={
        "event_name": "eventName",
        "event_id": "eventID",
        "secondary_exposures": "secondaryExposures",
        "statsig_metadata": "statsigMetadata",
    },
):
    """One of `events`. js-client and the Rust cores send statsigMetadata with each."""

    event_name: str
    user: User | None = None
    time: int | None = None
    value: msgspec.Raw = ABSENT
    metadata: msgspec.Raw = ABSENT
    secondary_exposures: msgspec.Raw = ABSENT
    event_id: str | None = None
    statsig_metadata: msgspec.Raw = ABSENT


class KnownRequest(
    msgspec.Struct,
    forbid_unknown_fields=True,
    gc=False,
    rename={
        "statsig_metadata": "statsigMetadata",
        "idempotency_key": "idempotencyKey",
        "client_time": "clientTime",
    },
):
    """The body. `clientTime` is read at the door, and stands in the record."""

    events: list[Event]
    statsig_metadata: msgspec.Raw = ABSENT
    idempotency_key: str | None = None
    user: User | None = None
    client_time: msgspec.Raw = ABSENT


NO_USER = User()


class About(
    msgspec.Struct,
    gc=False,
    frozen=True,
    rename={"sdk_type": "sdkType", "sdk_version": "sdkVersion", "session_id": "sessionID", "stable_id": "stableID"},
):
    """What the columns take from the request's `statsigMetadata`, of which the whole text is kept besides."""

    sdk_type: str | None = None
    sdk_version: str | None = None
    session_id: str | None = None
    stable_id: str | None = None


NOT_SAID = About()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraTexts:
    """What an event and its user hold beyond the columns, each as the text of a JSON object; None: nothing."""

    event: str | None
    user: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A body, whichever way it was read.

    Attributes:
        events: its events.
        idempotency_key: as sent.
        about: what the columns take from `statsigMetadata`.
        sdk_metadata: the exact text of `statsigMetadata`, if it is an object.
        extra: what the request itself holds beyond the columns, as the text of a JSON object.
        user: of the events that have none.
        user_extra: what it holds beyond the columns, as the text of a JSON object.
        event_extras: of each event that was read member by member, in whose own `Raw` they are absent; else empty.
    """

    events: list[Event]
    idempotency_key: str | None
    about: About = NOT_SAID
    sdk_metadata: str | None = None
    extra: str | None = None
    user: User | None = None
    user_extra: str | None = None
    event_extras: list[ExtraTexts] = field(default_factory=list)
