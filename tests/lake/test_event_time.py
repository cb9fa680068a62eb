"""Decision by decision, and against arithmetic without bounds."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.lake.event_time import event_time

_INT64 = st.integers(-(2**63), 2**63 - 1)
_RECEIVED_US = 1_767_225_600_000_123
_RECEIVED_MS = _RECEIVED_US // 1000


def _one(time_ms: int | None, client_time_ms: int | None, received_at_us: int) -> int:
    times = event_time(
        time_ms=pa.array([time_ms], pa.int64()),
        client_time_ms=pa.array([client_time_ms], pa.int64()),
        received_at_us=pa.array([received_at_us], pa.int64()),
    )
    assert times.type == pa.timestamp("us", tz="UTC")
    return times.cast(pa.int64())[0].as_py()


def _as_written(time_ms: int | None, client_time_ms: int | None, received_at_us: int) -> int:
    if not time_ms:
        return received_at_us
    if client_time_ms is None:
        result = min(time_ms * 1000, received_at_us)
    else:
        result = min(time_ms * 1000 + (received_at_us - client_time_ms * 1000), received_at_us)
    return result if result >= 0 else received_at_us


@given(
    st.one_of(st.none(), _INT64, st.integers(0, 2 * _RECEIVED_MS)),
    st.one_of(st.none(), _INT64, st.integers(0, 2 * _RECEIVED_MS)),
    st.integers(0, 253402300799999999),
)
def test_event_time_is_what_unbounded_arithmetic_gives(
    time_ms: int | None, client_time_ms: int | None, received_at_us: int
) -> None:
    assert _one(time_ms, client_time_ms, received_at_us) == _as_written(time_ms, client_time_ms, received_at_us)


@pytest.mark.parametrize(
    ("time_ms", "client_time_ms", "expected_us"),
    [
        pytest.param(0, 5, _RECEIVED_US, id="time 0 means unknown"),
        pytest.param(None, 5, _RECEIVED_US, id="no time"),
        pytest.param(_RECEIVED_MS - 5, None, (_RECEIVED_MS - 5) * 1000, id="client's clock unknown"),
        pytest.param(_RECEIVED_MS + 5, None, _RECEIVED_US, id="never after it was received"),
        pytest.param(1000, 3000, _RECEIVED_US - 2_000_000, id="a client whose clock stands at 1970"),
        pytest.param(9000, 3000, _RECEIVED_US, id="later than it was sent"),
        pytest.param(-(2**63), 2**63 - 1, _RECEIVED_US, id="the difference is no int64"),
        pytest.param(2**63 - 1, -(2**63), _RECEIVED_US, id="nor the other way"),
        pytest.param(-1, None, _RECEIVED_US, id="before 1970"),
    ],
)
def test_event_time_is_never_outside_of_what_readers_take(
    time_ms: int | None, client_time_ms: int | None, expected_us: int
) -> None:
    assert _one(time_ms, client_time_ms, _RECEIVED_US) == expected_us
