"""Events and users, as PyPI `statsig` has them.

Source: statsig 0.72, statsig_event.py, statsig_user.py, statsig_environment_tier.py, statsig_errors.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sluice.client.event import Event, User

__all__ = [
    "StatsigEnvironmentTier",
    "StatsigEvent",
    "StatsigRuntimeError",
    "StatsigUser",
    "StatsigValueError",
    "event_of",
]


class StatsigValueError(ValueError):
    """An argument that can't be."""


class StatsigRuntimeError(RuntimeError):
    """A call that can't be made now."""


class StatsigEnvironmentTier(str, Enum):  # noqa: UP042  as there: StrEnum prints otherwise
    """Where events come from."""

    development = "development"
    staging = "staging"
    production = "production"


@dataclass
class StatsigUser:
    """The user whom an event is about: with an id, or with one among `custom_ids`.

    `private_attributes` are taken, and never sent.
    """

    user_id: str | None = None
    email: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    country: str | None = None
    locale: str | None = None
    app_version: str | None = None
    custom: Mapping[str, Any] | None = None
    private_attributes: Mapping[str, Any] | None = field(default=None, repr=False)
    custom_ids: dict[str, str] | None = None
    _statsig_environment: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.user_id and not self.custom_ids:
            raise StatsigValueError("user_id or at least a custom ID is required")
        if self.user_id is not None:
            self.user_id = str(self.user_id)
        if self.custom_ids is not None:
            self.custom_ids = {str(key): str(value) for key, value in self.custom_ids.items()}


@dataclass
class StatsigEvent:
    """One event."""

    user: StatsigUser | None
    event_name: str
    value: str | float | None = None
    metadata: Mapping[str, Any] | None = None
    statsigMetadata: Mapping[str, Any] | None = None  # noqa: N815  as its callers write it
    _secondary_exposures: Sequence[Mapping[str, Any]] | None = None
    _time: int = field(default_factory=lambda: round(time.time() * 1000))

    def __post_init__(self) -> None:
        value: object = self.value
        if not self.event_name:
            raise StatsigValueError("StatsigEvent.event_name must be a valid str")
        # A boolean passes there, and is refused by the server.
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise StatsigValueError("StatsigEvent.value must be a str, float, or int")
        if self.statsigMetadata:
            raise StatsigValueError("StatsigEvent.statsigMetadata is not carried by gRPC; put it into metadata")


def event_of(event: StatsigEvent, tier: str | None) -> Event:
    """The same for sluice.client.

    Args:
        event: what is logged.
        tier: the environment that the options name; it goes before the user's own.
    """
    return Event(
        event.event_name,
        None if event.user is None else _user_of(event.user, tier),
        value=event.value,
        metadata=_plain(event.metadata),
        time=event._time,
        secondary_exposures=event._secondary_exposures,
    )


def _user_of(user: StatsigUser, tier: str | None) -> User:
    own = (user._statsig_environment or {}).get("tier")
    environment = tier or own
    return User(
        user.user_id,
        email=_text(user.email),
        custom=_plain(user.custom),
        custom_ids=user.custom_ids,
        ip=_text(user.ip),
        user_agent=_text(user.user_agent),
        country=_text(user.country),
        locale=_text(user.locale),
        app_version=_text(user.app_version),
        environment=environment.value if isinstance(environment, Enum) else environment,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(members: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Free-form members, enumerations as their values."""
    if not isinstance(members, Mapping):
        return members  # whatever it is: encode.py says so
    return {key: value.value if isinstance(value, Enum) else value for key, value in members.items()}
