"""What the compiled check says of bodies, held against what the plain one says of them."""

from sluice.ingest.checked_bodies import events_in_json, events_in_message
from sluice.ingest.nesting import too_deep_at
from sluice.ingest.private import without_private_attributes
from sluice.ingest.validate import LOG_EVENT, WEBHOOK, Valid
from sluice.ingest.validate_proto import LOG_EVENT_REQUEST

__all__ = ["is_sure_of_json", "is_sure_of_message"]


def is_sure_of_json(body: bytes) -> bool:
    """Whether the compiled check takes a JSON body; then the doors take it too, and store it as it is."""
    events = events_in_json(body)
    if events is None:
        return False
    for shape in (LOG_EVENT, WEBHOOK):
        # Neither is what may ask the compiled check first.
        assert shape._check(body) == shape.look_closer(body) == Valid(event_count=events)
    assert without_private_attributes(body) is body
    assert too_deep_at(body) is None
    return True


def is_sure_of_message(body: bytes) -> bool:
    """As `is_sure_of_json`, of the bytes of a LogEventRequest."""
    found = events_in_message(body)
    if found is None:
        return False
    events, client_time_ms = found
    assert LOG_EVENT_REQUEST.look_closer(body) == Valid(event_count=events, client_time_ms=client_time_ms)
    return True
