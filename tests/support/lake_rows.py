"""Rows of decoded records as plain values, and what they must be by the contract, without any of the decoder."""

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sluice.lake.decode import decode
from sluice.lake.schema import EVENTS
from sluice.storage.v1.log_record_pb2 import LogRecord

_EXPOSURES = ("gate_exposure", "config_exposure", "layer_exposure")
_USER_COLUMNS = {
    "email": "user_email",
    "ip": "user_ip",
    "userAgent": "user_agent",
    "country": "user_country",
    "locale": "user_locale",
    "appVersion": "user_app_version",
}


def rows(records: Sequence[LogRecord]) -> list[dict[str, Any]]:
    """The rows of records that are all decodable."""
    decoded = decode(records)
    assert decoded.undecodable == ()
    found = []
    for batch in decoded.batches:
        assert batch.schema == EVENTS
        batch.validate(full=True)
        found += [row | {"user_custom_ids": _as_dict(row["user_custom_ids"])} for row in batch.to_pylist()]
    return found


def parsed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its JSON columns as values."""
    columns = ("user_custom", "metadata", "secondary_exposures", "sdk_metadata", "extra")
    return row | {name: None if row[name] is None else json.loads(row[name]) for name in columns}


def expected_fields(event: dict[str, Any], request: dict[str, Any], record: LogRecord) -> dict[str, Any]:
    """What the columns of a recorded SDK event hold, but for those that the record itself gives and `extra`."""
    user = event.get("user") or {}
    metadata = event.get("metadata")
    about = request.get("statsigMetadata") or {}
    name = event["eventName"]
    kind = next((kind for kind in (*_EXPOSURES, "diagnostics") if name == f"statsig::{kind}"), None)
    kind = kind or ("internal" if name.startswith(("statsig::", "auto_capture::")) else "custom")
    said = metadata if kind in _EXPOSURES else {}
    outcome = said.get("gateValue", said.get("rulePassed"))
    return {
        "event_id": None,
        "idempotency_key": None,
        "time_ms": event["time"],
        "event_name": name,
        "event_kind": kind,
        "exposure_name": said.get("gate") if kind == "gate_exposure" else said.get("config"),
        "exposure_value": {"true": True, "false": False, True: True, False: False}.get(outcome),
        "rule_id": said.get("ruleID"),
        "allocated_experiment": said.get("allocatedExperiment"),
        "parameter_name": said.get("parameterName"),
        "exposure_reason": said.get("reason"),
        "user_id": user.get("userID"),
        "user_custom": user.get("custom"),
        "user_custom_ids": user.get("customIDs") or None,
        "stable_id": (user.get("customIDs") or {}).get("stableID", about.get("stableID")),
        "environment": (user.get("statsigEnvironment") or {}).get("tier"),
        "value_number": _number(event.get("value")),
        "value_string": event["value"] if isinstance(event.get("value"), str) else None,
        "metadata": metadata,
        "secondary_exposures": event.get("secondaryExposures"),
        "sdk_type": about.get("sdkType") or record.sdk_type or None,
        "sdk_version": about.get("sdkVersion") or record.sdk_version or None,
        "session_id": about.get("sessionID") or record.session_id or None,
        "sdk_metadata": request.get("statsigMetadata"),
    } | {column: user.get(key) for key, column in _USER_COLUMNS.items()}


def within(row: dict[str, Any], *, ms: int) -> bool:
    """Whether the event's time lies so near before its receipt."""
    return timedelta(0) <= row["received_at"] - row["event_time"] <= timedelta(milliseconds=ms)


def _number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return value  # type: ignore[return-value]  # a number, or None


def _as_dict(entries: list[tuple[str, str]] | None) -> dict[str, str] | None:
    return None if entries is None else dict(entries)
