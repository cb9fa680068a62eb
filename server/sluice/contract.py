"""The typed shape of a request, and what is accepted beyond the contract.

Source: the Events API's OpenAPI document (tests/contract/openapi.yaml); section names below are its own. What real SDKs
send beyond it, and who does, stands beside each leniency. No gRPC, no disk and no Arrow are known here: ingest checks
requests by it, and the lake decodes what was accepted by the same lists.

The types come in two strengths. `Event` is what nearly every sender writes, checked by msgspec alone. `LenientEvent`
takes the leniencies that cost more; `decode_lenient` must be given to its decoder as `dec_hook`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

__all__ = [
    "CLIENT_TIME",
    "EVENT_FIELDS",
    "EXPOSURE_FIELDS",
    "INT64_MAX",
    "INT64_MIN",
    "INTERNAL_EVENT_PREFIX",
    "MAX_SHARED_USER_BYTES",
    "REQUEST_FIELDS",
    "STATSIG_METADATA_FIELDS",
    "USER_FIELDS",
    "WEBHOOK_EVENT_FIELDS",
    "ClientTime",
    "CustomExposuresBody",
    "Event",
    "Exposure",
    "FreeForm",
    "Int64",
    "LenientEvent",
    "LenientLogEventBody",
    "LenientWebhookBody",
    "LogEventBody",
    "Source",
    "StatsigMetadata",
    "User",
    "WebhookBody",
    "WebhookEventBody",
    "decode_lenient",
    "milliseconds_of",
]

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

# Events that SDKs make themselves. They may lack a user: Java and Go send diagnostics without one.
INTERNAL_EVENT_PREFIX = "statsig::"


class Source(Enum):
    """The door that a request came through; the values are those of the lake's column `source`."""

    SDK = "sdk"
    WEBHOOK = "webhook"
    GRPC = "grpc"


# The JSON names of the fields that have a column, by level. What a request holds beyond them is kept in `extra`.
REQUEST_FIELDS = ("events", "statsigMetadata", "idempotencyKey", "user", "clientTime")
EVENT_FIELDS = ("user", "eventName", "time", "value", "metadata", "secondaryExposures", "eventID")
USER_FIELDS = (
    "userID",
    "email",
    "custom",
    "customIDs",
    "ip",
    "userAgent",
    "country",
    "locale",
    "appVersion",
    "statsigEnvironment",
)
# One event, as the webhooks of third parties post it: the fields of an event, two of them by other names.
WEBHOOK_EVENT_FIELDS = ("user", "event", "timestamp", "value", "metadata", "secondaryExposures", "eventID")
# One of the `exposures` that applications log themselves.
EXPOSURE_FIELDS = ("user", "experimentName", "gateName", "passes", "group", "ruleID", "time", "secondaryExposures")
# The whole object is kept as `sdk_metadata`; these are columns besides.
STATSIG_METADATA_FIELDS = ("sdkType", "sdkVersion", "sessionID", "stableID")

# The client's clock, where a request has it in its body: the legacy JS beacon can't set headers.
CLIENT_TIME = "clientTime"

# A request's own `user` stands on the row of each event that has none: so much may it take on all of them together.
MAX_SHARED_USER_BYTES = 16 * 1024 * 1024

# Bounds are stated because msgspec takes integers of any size.
Int64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# Milliseconds as text, which the public documents allow. Eight digits are a date of ISO-8601.
_DIGITS = re.compile(r"-?(?:[0-9]{1,7}|[0-9]{9,19})", re.ASCII)


def milliseconds_of(time: object) -> int | None:
    """An event's `time` in ms since the epoch, from any form in which it is accepted; None: it is none of them.

    Args:
        time: an integer; an integral float (node core turns 3 into 3.0); an integer as text; or ISO-8601 text as
            `datetime.fromisoformat` reads it (the public documents allow both), in UTC where it names no offset, cut to
            whole milliseconds.

    Source: components.schemas.Event.time, int64.
    """
    match time:
        case bool():
            return None
        case int():
            exact = time
        case float() if time.is_integer():
            exact = int(time)
        case str() if _DIGITS.fullmatch(time):
            exact = int(time)
        case str():
            try:
                moment = datetime.fromisoformat(time)
            except ValueError:
                return None
            exact = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
        case _:
            return None
    return exact if INT64_MIN <= exact <= INT64_MAX else None


class FreeForm(Struct, gc=False):
    """An object of any content, of which nothing is kept: it need only be valid JSON."""


class StatsigMetadata(Struct, gc=False):
    """What sent the batch. Source: components.schemas.StatsigMetadata. Null is absent, in each field."""

    sdk_type: str | None = field(default=None, name="sdkType")
    sdk_version: str | None = field(default=None, name="sdkVersion")
    session_id: str | None = field(default=None, name="sessionID")
    stable_id: str | None = field(default=None, name="stableID")


class User(Struct, gc=False):
    """The user of an event. Source: components.schemas.Event.user. Null is absent, in each field.

    The further columns of a user (ip, userAgent, …) are beyond the contract: a value of any type is accepted.
    """

    # Node legacy sends a number; its text becomes the id.
    user_id: str | int | float | None = field(default=None, name="userID")
    # Its form (`format: email`) is not checked: SDKs pass on whatever the application gave them.
    email: str | None = None
    custom: FreeForm | None = None
    # Go sends null when unset; a null among the ids is dropped.
    custom_ids: dict[str, str | None] | None = field(default=None, name="customIDs")


class _EventInAnyForm(Struct, gc=False, kw_only=True):
    event_name: str = field(name="eventName")
    # Null is absent: the cores send it with every exposure.
    value: str | int | float | None = None
    metadata: FreeForm | None = None


class Event(_EventInAnyForm, gc=False, kw_only=True):
    """An event as nearly every sender writes it. Source: components.schemas.Event."""

    time: Int64
    # Node sends `"user":null` for an empty user.
    user: User | None


class ClientTime:
    """A `time` in any accepted form. A type of its own, so that msgspec hands over each one it meets."""


class LenientEvent(_EventInAnyForm, gc=False, kw_only=True):
    """An event as it may be written. Source: components.schemas.Event."""

    time: ClientTime
    # Java and Go send diagnostics without a user: for events of INTERNAL_EVENT_PREFIX it may be absent.
    user: User | UnsetType | None = UNSET


class _Body(Struct, gc=False):
    # Beyond the contract, as the public documents have it: the user of each event that has none.
    user: User | None = None


class _LogEventBody(_Body, gc=False):
    statsig_metadata: StatsigMetadata | None = field(default=None, name="statsigMetadata")


class _WebhookBody(_Body, gc=False):
    # What makes the other form (`WebhookEventBody`); it must not stand beside `events`. Null is absent.
    event: Raw = Raw(b"null")


class LogEventBody(_LogEventBody, gc=False, kw_only=True):
    """Source: paths./log_event.post.requestBody."""

    events: list[Event]


class LenientLogEventBody(_LogEventBody, gc=False, kw_only=True):
    """`LogEventBody` of lenient events."""

    events: list[LenientEvent]


class WebhookBody(_WebhookBody, gc=False, kw_only=True):
    """Source: paths./webhooks/event_webhook.post.requestBody."""

    events: list[Event]


class LenientWebhookBody(_WebhookBody, gc=False, kw_only=True):
    """`WebhookBody` of lenient events."""

    events: list[LenientEvent]


class WebhookEventBody(Struct, gc=False, kw_only=True):
    """One event, as webhooks in the wild post it.

    Source: https://docs.statsig.com/integrations/event_webhook, "Incoming". It is beyond the contract.
    """

    event: str
    user: User | UnsetType | None = UNSET
    value: str | int | float | None = None
    metadata: FreeForm | None = None
    # Not every sender knows when.
    timestamp: ClientTime | None = None
    # The contract's own form, which must not stand beside `event`.
    events: None = None


class Exposure(Struct, gc=False, kw_only=True):
    """One of the exposures that an application logs itself.

    One of `experimentName` and `gateName` must be there, with `gateName` also `passes`; and `group`, `ruleID` or both.

    Source: https://docs.statsig.com/api-reference/events/log-custom-exposure-events, ExperimentExposure and
    GateExposure. It is beyond the contract.
    """

    experiment_name: str | None = field(default=None, name="experimentName")
    gate_name: str | None = field(default=None, name="gateName")
    passes: bool | None = None
    group: str | None = None
    rule_id: str | None = field(default=None, name="ruleID")
    user: User | UnsetType | None = UNSET
    time: ClientTime | None = None


class CustomExposuresBody(_LogEventBody, gc=False, kw_only=True):
    """Source: as for `Exposure`, LogCustomExposureRequest."""

    exposures: list[Exposure]


def decode_lenient(kind: type, value: object) -> object:
    """Check a `time` for msgspec, which calls this for every field of type `ClientTime`.

    Raises:
        ValueError: it is in no accepted form; msgspec adds where.
    """
    if kind is ClientTime and milliseconds_of(value) is not None:
        return ClientTime()
    raise ValueError("expected integer (ms since epoch)")
