"""When an event happened, by the service's clock, out of three clock readings.

    time is 0 or absent         received_at
    the client's clock unknown  min(time, received_at)
    else                        min(time + (received_at - client_time), received_at)

A result before 1970 becomes received_at: one timestamp before 1900 makes Spark 3.5 refuse a whole file.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from sluice.lake.schema import TIMESTAMP

__all__ = ["event_time"]

_US_PER_MS = 1000


def event_time(*, time_ms: pa.Array, client_time_ms: pa.Array, received_at_us: pa.Array) -> pa.Array:
    """Compute the event times of m rows.

    Args:
        time_ms: int64, nullable, any value: the event's time by the client's clock, in ms since the epoch.
        client_time_ms: int64, nullable, any value: the client's clock when it sent the request.
        received_at_us: int64, never null nor negative: the service's clock, in µs since the epoch.

    Returns:
        Timestamps in µs, UTC, between 1970 and `received_at`.
    """
    known = pc.and_(pc.is_valid(time_ms), pc.not_equal(time_ms, 0))
    corrected = _lagging(time_ms, client_time_ms, received_at_us)
    plain = _as_sent(time_ms, received_at_us)
    times = pc.if_else(pc.is_valid(client_time_ms), corrected, plain)
    return pc.coalesce(pc.if_else(known, times, None), received_at_us).cast(TIMESTAMP)


def _lagging(time_ms: pa.Array, client_time_ms: pa.Array, received_at_us: pa.Array) -> pa.Array:
    """received_at less what lay between event and sending by the client's clock; null where that is no valid time."""
    # The difference of two int64 wraps around, but read as uint64 it is right wherever it isn't negative.
    lag_ms = pc.subtract(client_time_ms, time_ms).view(pa.uint64())
    room_ms = pc.divide(received_at_us, _US_PER_MS).cast(pa.uint64())
    fits = pc.and_(pc.less(time_ms, client_time_ms), pc.less_equal(lag_ms, room_ms))
    lag_ms = pc.if_else(fits, lag_ms, None).cast(pa.int64())
    return pc.subtract(received_at_us, pc.multiply(lag_ms, _US_PER_MS))


def _as_sent(time_ms: pa.Array, received_at_us: pa.Array) -> pa.Array:
    """`time` where it lies between 1970 and received_at, else null."""
    room_ms = pc.divide(received_at_us, _US_PER_MS)
    fits = pc.and_(pc.greater_equal(time_ms, 0), pc.less_equal(time_ms, room_ms))
    return pc.multiply(pc.if_else(fits, time_ms, None), _US_PER_MS)
