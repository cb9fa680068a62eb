"""Requests of events that are told apart by their names: as JSON, and as they stand in a segment."""

import json
import time
from typing import Any

from tests.support.log_records import frame_of

NOW_US = time.time_ns() // 1000


def body_of(*names: str, **user: Any) -> bytes:
    """A body with an event of each name; `user` is what is said of all their users beside their ids."""
    events = [
        {"eventName": name, "time": 1767225600000, "user": {"userID": f"u{number}"} | user}
        for number, name in enumerate(names)
    ]
    return json.dumps({"events": events}).encode()


def event_frame(*names: str, at_us: int = NOW_US, **fields: Any) -> bytes:
    """The record of such a body; `fields` are others of the record."""
    return frame_of(body_of(*names), received_at_us=at_us, event_count=len(names), **fields)
