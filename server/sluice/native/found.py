"""What a pass over bodies finds: where in the buffer each column's text stands, and each number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.native.arrays import Bytes, Places

__all__ = ["MAX_IDS", "NULL", "Found", "Spans", "room_for"]

# Of one user.
MAX_IDS: Final = 16

NULL: Final = -1

# What `Found.kinds` says of a value: no number, a text that is one, a number, or that whoever knows more be asked.
NO_NUMBER, NUMBER_IN_TEXT, NUMBER, ASK = range(4)

# Rows of `Found.fields`.
(
    EVENT_ID, EVENT_NAME, METADATA, SECONDARY_EXPOSURES, USER_ID, EMAIL, CUSTOM, IP, USER_AGENT, COUNTRY, LOCALE,
    APP_VERSION, TIER, VALUE, STABLE_ID, EVENT_ABOUT, ANALYTICS, EXPOSURE_NAME, RULE_ID, ALLOCATED_EXPERIMENT,
    PARAMETER_NAME, EXPOSURE_REASON, FIELDS,
) = range(23)  # fmt: skip
# Rows of `Found.said`.
ABOUT, IDEMPOTENCY_KEY = range(2)
# Rows of `Found.ids`.
KEY, TEXT = range(2)


class Spans(NamedTuple):
    """Where texts stand.

    Attributes:
        begins: k x n, int32: where each begins; a negative number where it holds an escape.
        sizes: k x n, int32: how many bytes it has; NULL where there is none.
    """

    begins: NDArray[np.int32]
    sizes: NDArray[np.int32]


class Found(NamedTuple):
    """What stands where in n bodies with m events.

    Attributes:
        fields: of m events.
        times: m, int64.
        has_time: m, uint8.
        has_user: m, uint8: whether an event has a user of its own, in JSON also null.
        numbers: m, float64: of values.
        kinds: m, uint8: what the values are.
        ids: of all users' ids: their keys and texts.
        id_ends: m, int32: how many ids there are with those of this event.
        said: of n bodies: what they say of themselves.
        row_ends: n, int32: how many events there are with those of this body; no more than before where it is refused.
        is_refused: n, uint8.
        event_kinds: m, uint8: what events are by their names; by scan_exposures.py alone, as the next one.
        outcomes: m, int8: of exposures: 1, 0, or NULL.
        follows: 4 x 16, uint8: of each kind of object, which key stood behind which one the last time.
    """

    fields: Spans
    times: NDArray[np.int64]
    has_time: Bytes
    has_user: Bytes
    numbers: NDArray[np.float64]
    kinds: Bytes
    ids: Spans
    id_ends: Places
    said: Spans
    row_ends: Places
    is_refused: Bytes
    event_kinds: Bytes
    outcomes: NDArray[np.int8]
    follows: Bytes


def room_for(*, bodies: int, events: int) -> Found:
    """Room for what is found in so many bodies, and so many events at most."""
    return Found(
        fields=_spans(FIELDS, events),
        times=np.empty(events, np.int64),
        has_time=np.empty(events, np.uint8),
        has_user=np.empty(events, np.uint8),
        numbers=np.empty(events, np.float64),
        kinds=np.empty(events, np.uint8),
        ids=_spans(2, (events + 1) * MAX_IDS),
        id_ends=np.empty(events, np.int32),
        said=_spans(2, bodies),
        row_ends=np.empty(bodies, np.int32),
        is_refused=np.empty(bodies, np.uint8),
        event_kinds=np.empty(events, np.uint8),
        outcomes=np.empty(events, np.int8),
        follows=np.zeros((4, 16), np.uint8),
    )


def _spans(kinds: int, count: int) -> Spans:
    return Spans(begins=np.empty((kinds, count), np.int32), sizes=np.empty((kinds, count), np.int32))
