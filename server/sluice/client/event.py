"""What an application logs: an event, and the user whom it is about.

The fields are those of the Events API, under the names of its protobuf messages. They are checked when the event is
logged: encode.py.

Source: proto/sluice/events/v1/events.proto
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Event", "JSONValue", "User"]

JSONValue: TypeAlias = str | int | float | bool | Sequence["JSONValue"] | Mapping[str, "JSONValue"] | None


@dataclass(frozen=True, slots=True)
class User:
    """The user whom an event is about. An anonymous one has no fields, or only `custom_ids`.

    There is no field for private attributes: they are never sent.

    Attributes:
        user_id: the application's id of the user.
        email: of any form.
        custom: free-form properties.
        custom_ids: further ids by their kind, such as `companyID` or `stableID`.
        ip: the user's IP address.
        user_agent: the user's browser or device, as a User-Agent header gives it.
        country: by custom a two-letter code.
        locale: such as `en_US`.
        app_version: the version of the application that the user runs.
        environment: the tier that the event comes from: `production`, `staging`, `development` or one of your own.
    """

    user_id: str | None = None
    _: KW_ONLY
    email: str | None = None
    custom: Mapping[str, JSONValue] | None = None
    custom_ids: Mapping[str, str] | None = None
    ip: str | None = None
    user_agent: str | None = None
    country: str | None = None
    locale: str | None = None
    app_version: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        event_name: what happened.
        user: whom it is about; a text is the user's id. Only SDK-internal events (`statsig::…`) may go without.
        value: a number or a text that belongs to the event, such as a revenue or a plan.
        metadata: free-form facts.
        time: when it happened: a datetime with a time zone, or milliseconds since the epoch. None: when it is logged.
        event_id: your own id of the event, unique per event: repeats are found by it. None: one is made.
        secondary_exposures: the exposures that decided this one, each with `gate`, `gateValue` and `ruleID`.
    """

    event_name: str
    user: User | str | None = None
    _: KW_ONLY
    value: str | float | None = None
    metadata: Mapping[str, JSONValue] | None = None
    time: datetime | int | None = None
    event_id: str | None = None
    secondary_exposures: Sequence[Mapping[str, JSONValue]] | None = None
