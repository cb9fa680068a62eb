"""When a service is ready, and what it says when it is not."""

from dataclasses import replace

import pytest

from sluice.supervisor.health import Health
from sluice.supervisor.readiness import LIVE_WITHIN_S, Facts, Reason, is_live, reasons_not_ready

_READY = Facts(recovered=True, edge_listens=True, workers=(Health.SERVING, Health.STARTING))


def test_one_worker_that_serves_is_enough() -> None:
    assert reasons_not_ready(_READY) == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"draining": True}, Reason.DRAINING, id="a drain has begun"),
        pytest.param({"recovered": False}, Reason.RECOVERY_RUNS, id="recovery runs"),
        pytest.param({"edge_listens": False}, Reason.EDGE_NOT_LISTENING, id="Envoy does not listen"),
        pytest.param({"edge_answers": False}, Reason.EDGE_SILENT, id="Envoy hangs"),
        pytest.param({"edge_found_worker": False}, Reason.NO_WORKER_HEALTHY, id="Envoy has found no worker"),
        pytest.param({"workers": ()}, Reason.NO_WORKER_HEALTHY, id="no worker"),
        pytest.param({"workers": (Health.HANGS, Health.STARTING)}, Reason.NO_WORKER_HEALTHY, id="none answers"),
        pytest.param({"workers": (Health.NOT_SERVING,)}, Reason.LOG_UNWRITABLE, id="the log takes nothing"),
        pytest.param(
            {"workers": (Health.NOT_SERVING,), "log_causes": ("write",)}, Reason.LOG_UNWRITABLE, id="and says why"
        ),
        pytest.param(
            {"workers": (Health.NOT_SERVING, Health.HANGS), "without_descriptors": 1},
            Reason.NO_DESCRIPTORS,
            id="no descriptors are left",
        ),
    ],
)
def test_each_condition_makes_it_unready_with_its_own_reason(change: dict[str, object], reason: Reason) -> None:
    assert reasons_not_ready(replace(_READY, **change)) == (reason,)


def test_where_workers_refuse_that_is_the_reason_and_not_that_envoy_finds_none() -> None:
    facts = replace(_READY, workers=(Health.NOT_SERVING,), edge_found_worker=False)

    assert reasons_not_ready(facts) == (Reason.LOG_UNWRITABLE,)


def test_a_log_and_descriptors_may_both_be_the_reason() -> None:
    facts = replace(_READY, workers=(Health.NOT_SERVING,), log_causes=("create",), without_descriptors=1)

    assert reasons_not_ready(facts) == (Reason.LOG_UNWRITABLE, Reason.NO_DESCRIPTORS)


def test_a_worker_without_descriptors_makes_nothing_unready_while_another_serves() -> None:
    facts = replace(_READY, workers=(Health.NOT_SERVING, Health.SERVING), without_descriptors=1)

    assert reasons_not_ready(facts) == ()


def test_before_the_start_every_reason_but_the_drain_and_what_processes_say_holds() -> None:
    said_by_processes = {Reason.LOG_UNWRITABLE, Reason.NO_DESCRIPTORS, Reason.EDGE_SILENT}

    assert set(reasons_not_ready(Facts())) == set(Reason) - {Reason.DRAINING} - said_by_processes


def test_it_lives_as_long_as_the_loop_turns() -> None:
    assert is_live(turned_at=100.0, now=100.0 + LIVE_WITHIN_S)
    assert not is_live(turned_at=100.0, now=100.1 + LIVE_WITHIN_S)
