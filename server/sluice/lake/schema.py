"""The lake's two tables: the one list of their columns, with the type, meaning and source of each.

What docs/lake.md prints, what the decoders fill and what the Parquet files hold all come from here. Columns are only
ever added, at the end of a table, each with a new `TABLE_VERSION`; none is renamed, retyped or given another meaning.

Types are those that pandas, Polars, DuckDB, Spark 3.5 and 4, ClickHouse and Iceberg all read: no UUID type (Spark
refuses a whole file for it), no JSON type, times in microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

__all__ = [
    "EVENTS",
    "EVENT_COLUMNS",
    "PARTITION_COLUMNS",
    "REJECTS",
    "REJECT_COLUMNS",
    "TABLE_VERSION",
    "TEXT_MAP",
    "TIMESTAMP",
    "Column",
    "EventKind",
]

# In the metadata of each file as `sluice.schema_version`.
TABLE_VERSION = 1

TIMESTAMP = pa.timestamp("us", tz="UTC")
TEXT_MAP = pa.map_(pa.string(), pa.string())


class EventKind(Enum):
    """What an event is, by its name; the values are those of the column `event_kind`."""

    GATE_EXPOSURE = "gate_exposure"
    CONFIG_EXPOSURE = "config_exposure"
    LAYER_EXPOSURE = "layer_exposure"
    DIAGNOSTICS = "diagnostics"
    INTERNAL = "internal"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in the files; no word that SQL reserves.
        type: its Arrow type.
        meaning: what it says, in one line of Markdown.
        source: the field of the request that it comes from, in the names of the JSON API.
        nullable: whether it may be null.
        json: whether its text is JSON.
    """

    name: str
    type: pa.DataType
    meaning: str
    source: str
    nullable: bool = True
    json: bool = False

    @property
    def kind(self) -> str:
        """Its type, as people read it."""
        return f"{self.type}, JSON" if self.json else str(self.type)


def _column(name: str, type_: pa.DataType, source: str, meaning: str) -> Column:
    return Column(name=name, type=type_, source=source, meaning=meaning)


def _always(name: str, type_: pa.DataType, source: str, meaning: str) -> Column:
    return Column(name=name, type=type_, source=source, meaning=meaning, nullable=False)


def _json(name: str, source: str, meaning: str) -> Column:
    return Column(name=name, type=pa.string(), source=source, meaning=meaning, json=True)


_TEXT = pa.string()

EVENT_COLUMNS: tuple[Column, ...] = (
    _always("request_id", _TEXT, "the service", "The request's id (UUIDv7), as its answer's `x-request-id` says it."),
    _always("event_index", pa.int32(), "position in `events`", "The event's position in its request, from 0."),
    _column("event_id", _TEXT, "`events[].eventID`", "The sender's own id of the event."),
    _column("idempotency_key", _TEXT, "`idempotencyKey`", "The sender's own id of the request."),
    _always("received_at", TIMESTAMP, "the service", "When the request was accepted, by the service's clock."),
    _always(
        "event_time",
        TIMESTAMP,
        "`events[].time`, client time",
        "When the event happened, by the service's clock: `time` corrected by the difference of the clocks, never "
        "after `received_at`. Where `time` is 0 or absent, or what comes of it lies before 1970, it is `received_at`.",
    ),
    _column("time_ms", pa.int64(), "`events[].time`", "The time as sent, in ms since the epoch."),
    _column(
        "client_time_ms",
        pa.int64(),
        "`statsig-client-time`, `?t=`, `clientTime`",
        "The client's clock when it sent the request.",
    ),
    _always("source", _TEXT, "the door", "`sdk`, `webhook` or `grpc`."),
    _always("project", _TEXT, "the API key", "The project that the key belongs to."),
    _always("key_id", _TEXT, "the API key", "The id of the key (never the key)."),
    _always("event_name", _TEXT, "`events[].eventName`", "The event's name."),
    _always(
        "event_kind",
        _TEXT,
        "`events[].eventName`",
        "`gate_exposure`, `config_exposure`, `layer_exposure`, `diagnostics`, `internal` (other `statsig::…` and "
        "`auto_capture::…`) or `custom`.",
    ),
    _column("exposure_name", _TEXT, "`metadata.gate`, `.config`", "Exposures: the gate, config or layer."),
    _column("exposure_value", pa.bool_(), "`metadata.gateValue`, `.rulePassed`", "Exposures: whether it passed."),
    _column("rule_id", _TEXT, "`metadata.ruleID`", "Exposures: the rule that decided."),
    _column("allocated_experiment", _TEXT, "`metadata.allocatedExperiment`", "Layer exposures: the experiment."),
    _column("parameter_name", _TEXT, "`metadata.parameterName`", "Layer exposures: the parameter that was read."),
    _column("exposure_reason", _TEXT, "`metadata.reason`", "Exposures: how the SDK came to its answer."),
    _column("user_id", _TEXT, "`user.userID`", "The application's id of the user. A number is kept as its exact text."),
    _column("user_email", _TEXT, "`user.email`", "The user's e-mail address."),
    _json("user_custom", "`user.custom`", "Free-form properties of the user."),
    _column("user_custom_ids", TEXT_MAP, "`user.customIDs`", "Further ids of the user by their kind; null when empty."),
    _column(
        "stable_id",
        _TEXT,
        "`user.customIDs.stableID`, `statsigMetadata.stableID`",
        "The device: the user's `stableID` in any case, else the request's.",
    ),
    _column("user_ip", _TEXT, "`user.ip`", "The user's IP address, as the sender gives it."),
    _column("user_agent", _TEXT, "`user.userAgent`", "The user's browser or device."),
    _column("user_country", _TEXT, "`user.country`", "The user's country, by custom a two-letter code."),
    _column("user_locale", _TEXT, "`user.locale`", "The user's locale, such as `en_US`."),
    _column("user_app_version", _TEXT, "`user.appVersion`", "The version of the application."),
    _column("environment", _TEXT, "`user.statsigEnvironment.tier`", "Such as `production` or `staging`."),
    _column(
        "value_number",
        pa.float64(),
        "`events[].value`",
        "The value, where it is a number or a text that is a finite JSON number.",
    ),
    _column(
        "value_string",
        _TEXT,
        "`events[].value`",
        "The value, where it is text, exactly; and the exact text of a number that a double can't hold.",
    ),
    _json("metadata", "`events[].metadata`", "Free-form facts about the event."),
    _json("secondary_exposures", "`events[].secondaryExposures`", "Exposures that decided this one."),
    _column("sdk_type", _TEXT, "`statsigMetadata.sdkType`, else header or query", "The kind of SDK."),
    _column("sdk_version", _TEXT, "`statsigMetadata.sdkVersion`, else header or query", "The SDK's version."),
    _column("session_id", _TEXT, "`statsigMetadata.sessionID`, else header or query", "The session."),
    _json("sdk_metadata", "`statsigMetadata`", "All that the request says about what sent it."),
    _json(
        "extra",
        "what has no column",
        "An object with at most `request`, `event` and `user`: what that level holds beyond the columns.",
    ),
)

REJECT_COLUMNS: tuple[Column, ...] = (
    _always("request_id", _TEXT, "the service", "The request's id (UUIDv7)."),
    _always("received_at", TIMESTAMP, "the service", "When the request came in."),
    _always("source", _TEXT, "the door", "`sdk`, `webhook` or `grpc`."),
    _column("project", _TEXT, "the API key", "The project that the key belongs to."),
    _column("key_id", _TEXT, "the API key", "The id of the key (never the key)."),
    _always(
        "reason",
        _TEXT,
        "the service",
        "Why, in one word: `INVALID_EVENTS`, `INVALID_REQUEST` or `TOO_LARGE` of a request that was refused, "
        "`QUARANTINED` of the invalid events of one that was accepted without them.",
    ),
    _json("errors", "the service", "An array of the violations: of each its `path`, what was `expected`, and `found`."),
    _column(
        "body",
        _TEXT,
        "the request",
        "The body without `privateAttributes`; of quarantined events a request of them alone. Null where it may not be "
        "kept: it can't be parsed, or is too large.",
    ),
    _always("body_bytes", pa.int64(), "the request", "The body's length: as it is kept, else as it came."),
    _always("body_sha256", _TEXT, "the request", "The SHA-256 of the same bytes, in hexadecimal."),
    _column("fault_offset", pa.int64(), "the service", "Where in the body it no longer parses, in bytes."),
    _always(
        "body_format",
        _TEXT,
        "the door",
        "What the body is: `json`, or `custom_exposures` in JSON; or in base64 a typed message, `log_event_request` or "
        "`receive_webhook_event_request`.",
    ),
    _column("event_count", pa.int32(), "`events`", "How many events the request held; null where they can't be told."),
    _column(
        "invalid_event_count", pa.int32(), "`events`", "How many of them are invalid; null: the request itself is."
    ),
    _column(
        "client_time_ms", pa.int64(), "`statsig-client-time`, `?t=`", "The client's clock when it sent the request."
    ),
    _column("sdk_type", _TEXT, "header or query", "The kind of SDK."),
    _column("sdk_version", _TEXT, "header or query", "The SDK's version."),
    _column("session_id", _TEXT, "header or query", "The session."),
)

# Known from the folders' names, `received_date=2026-01-31/received_hour=07`; not stored in the files.
PARTITION_COLUMNS: tuple[Column, ...] = (
    _always("received_date", pa.date32(), "the service", "The day of `received_at`, in UTC."),
    _always("received_hour", pa.int64(), "the service", "The hour of `received_at`, in UTC, 0 to 23."),
)


def _schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.type, nullable=column.nullable) for column in columns])


EVENTS: pa.Schema = _schema(EVENT_COLUMNS)
REJECTS: pa.Schema = _schema(REJECT_COLUMNS)
