import pytest

from sluice.log.sealing import Run, SealLimits, SealReason, due

_LIMITS = SealLimits(age_s=10, size_bytes=1000)
_RUN = Run(number=1, hour="20260101T00")


@pytest.mark.parametrize(
    ("age_s", "size_bytes", "now", "reason"),
    [
        pytest.param(0, 1, _RUN, None, id="new"),
        pytest.param(9.9, 999, _RUN, None, id="below both bounds"),
        pytest.param(10, 1, _RUN, SealReason.AGE, id="at its age"),
        pytest.param(0, 1000, _RUN, SealReason.SIZE, id="at its size"),
        pytest.param(0, 1, Run(number=2, hour="20260101T01"), SealReason.HOUR, id="the next hour"),
        pytest.param(0, 1, Run(number=2, hour="20251231T23"), SealReason.HOUR, id="the hour before"),
        pytest.param(0, 1, Run(number=2, hour="20260101T00"), SealReason.CLOCK, id="the clock stepped back"),
    ],
)
def test_a_segment_is_sealed_at_its_bounds(age_s: float, size_bytes: int, now: Run, reason: SealReason | None) -> None:
    assert due(_LIMITS, age_s=age_s, size_bytes=size_bytes, run=_RUN, now=now) is reason
