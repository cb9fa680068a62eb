"""What became of the events that an SDK was told to log, by what is in the lake."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.clients.sdks import Sdk
from tests.support.sdk_events import Identity, identity, told
from tests.support.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one SDK's events.

    Attributes:
        told: what it was told to log.
        lost: those that are not in the lake.
        repeated: rows that `events_distinct` takes for copies.
        copies: events that even `events_distinct` has more than once.
        rows: all its rows, SDK's own events too.
    """

    told: frozenset[Identity]
    lost: tuple[Identity, ...]
    repeated: int
    copies: tuple[Identity, ...]
    rows: tuple[dict[str, Any], ...]

    @property
    def delivered(self) -> int:
        """How many are in the lake."""
        return len(self.told) - len(self.lost)


def told_to_log(sdk: Sdk, rounds: Collection[str], *, flushed: Collection[str]) -> set[Identity]:
    """All events that an SDK is told to log in these rounds, of which some were flushed."""
    events = {event for name in rounds for event in told(name, sdk.can)}
    first = len(told("", sdk.can))
    return events | {
        ("custom", f"{name}_filler_{number}") for name in flushed for number in range(first, first + sdk.fillers)
    }


def in_lake(service: Service, key: str) -> set[Identity]:
    """What of a key's events is in the lake."""
    return {identity(row) for row in _rows(service, key, "events", "event_kind, exposure_name, event_name")}


def outcome(service: Service, key: str, events: set[Identity]) -> Outcome:
    """What became of these events; all is in the lake."""
    rows = _rows(service, key, "events", "* exclude (received_date, received_hour)")
    once = Counter(map(identity, _rows(service, key, "events_distinct", "event_kind, exposure_name, event_name")))
    all_rows = Counter(map(identity, rows))
    return Outcome(
        told=frozenset(events),
        lost=tuple(sorted(events - set(all_rows))),
        repeated=sum(all_rows[event] - once[event] for event in events),
        copies=tuple(sorted(event for event in events if once[event] > 1)),
        rows=tuple(rows),
    )


def _rows(service: Service, key: str, table: str, columns: str) -> list[dict[str, Any]]:
    return service.dicts(f"select {columns} from {table} where key_id = '{service.key_id(key)}'")
