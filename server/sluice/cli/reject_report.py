"""What `sluice rejects` tells of refused requests, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from sluice.cli.output import iso_micros, shown
from sluice.log.ports import Body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sluice.lake.rejects import Found

__all__ = ["lines_of", "readable_body", "summary", "why_no_body"]

_MAX_ERRORS_SHOWN = 100
_IN_JSON = {form.value for form in Body if form.is_json}


def summary(found: Found) -> str:
    """How many there are, by reason."""
    total = found.by_reason.total()
    if not total:
        return "no refused requests"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.by_reason.items()))
    return f"{len(found.rows):,} of {total:,} refused requests: {reasons}"


def lines_of(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What people are told of a refused request, line by line: what it is about, and the fact."""
    yield "request", row["request_id"]
    yield (
        "received",
        f"{iso_micros(row['received_at'])} by {row['source']}, project {row['project']}, key {row['key_id']}",
    )
    yield "reason", row["reason"]
    if row["event_count"] is not None:
        yield "events", f"{row['event_count']:,}, of which {row['invalid_event_count']:,} are invalid"
    errors = json.loads(row["errors"] or "[]")
    for error in errors[:_MAX_ERRORS_SHOWN]:
        yield "error", f"{error['path']}: expected {error['expected']}, got {error['found']}"
    if len(errors) > _MAX_ERRORS_SHOWN:
        yield "error", f"and {len(errors) - _MAX_ERRORS_SHOWN:,} more; all with --json"
    if any(row[name] for name in ("sdk_type", "sdk_version", "session_id")):
        yield "sent by", " ".join(row[name] for name in ("sdk_type", "sdk_version", "session_id") if row[name])
    yield "body", f"{row['body_bytes']:,} bytes of {row['body_format']}, SHA-256 {row['body_sha256']}"
    if row["body"] is None:
        yield "not kept", why_no_body(row)


def why_no_body(row: Mapping[str, Any]) -> str:
    """Why the body of a refused request was not kept."""
    if row["reason"] == "TOO_LARGE":
        return "it is too large"
    at = "" if row["fault_offset"] is None else f", from offset {row['fault_offset']} on"
    return f"it can't be parsed{at}, so that privateAttributes could not be found in it"


def readable_body(row: Mapping[str, Any]) -> str:
    """JSON with its exact texts in lines of their own; a message as base64."""
    if row["body_format"] not in _IN_JSON:
        return shown(row["body"])
    indented: str = msgspec.json.format(row["body"], indent=2)
    return "\n".join(shown(line) for line in indented.split("\n"))
