"""When an event happened, by the service's clock, out of three clock readings.

    time is 0 or absent         received_at
    the client's clock unknown  min(time, received_at)
    else                        min(time + (received_at - client_time), received_at)

A result before 1970 becomes received_at: one timestamp before 1900 makes Spark 3.5 refuse a whole file.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

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
    received = received_at_us.to_numpy()
    time, client = time_ms.fill_null(0).to_numpy(), client_time_ms.fill_null(0).to_numpy()
    has_client = client_time_ms.is_valid().to_numpy(zero_copy_only=False)
    room_ms = received // _US_PER_MS
    # The difference of two int64 wraps around, but read as uint64 it is right wherever it isn't negative.
    lag_ms = client - time
    lags = (time != 0) & has_client & (time < client) & (lag_ms.view(np.uint64) <= room_ms.view(np.uint64))
    as_sent = ~has_client & (time > 0) & (time <= room_ms)
    times = received.copy()
    np.copyto(times, received - lag_ms * _US_PER_MS, where=lags)
    np.copyto(times, time * _US_PER_MS, where=as_sent)
    return pa.array(times).view(TIMESTAMP)
