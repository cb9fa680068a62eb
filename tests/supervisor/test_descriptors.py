"""How many connections Envoy may take, by how many descriptors a process may have."""

import resource

import pytest

from sluice.supervisor.descriptors import connections_that_fit


@pytest.mark.parametrize(
    ("soft", "fit"),
    [
        pytest.param(256, 64, id="fewer than Envoy itself needs: a quarter"),
        pytest.param(1_024, 512, id="as shells give"),
        pytest.param(10_511, 9_999, id="one too few"),
        pytest.param(65_536, 10_000, id="as a service raises its limit to"),
        pytest.param(2**20, 10_000, id="as systemd and containers give"),
        pytest.param(resource.RLIM_INFINITY, 10_000, id="no limit"),
    ],
)
def test_connections_are_as_many_as_descriptors_suffice_for_and_never_more_than_asked(
    soft: int, fit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))

    assert connections_that_fit(10_000) == fit
