"""What ill-meaning and broken clients get, and that others are served meanwhile, within the memory that is stated."""

import threading
import time
from collections.abc import Iterator

import pytest

from bench.processes import bounds_mib, peaks_mib, pids
from tests.support.hostile import CONNECTIONS, REQUESTS, Connections, Request, Target, status_of
from tests.support.service import Service

_HOLD_S = 2.0


@pytest.fixture(scope="module", autouse=True)
def all_processes_live_on_within_their_memory(service: Service) -> Iterator[None]:
    """After all of it, and with what was accepted in the lake."""
    service.pid("lake")
    began_with = pids(service)
    yield
    service.flush()
    assert pids(service) == began_with
    peaks, bounds = peaks_mib(service), bounds_mib(service.max_body)
    assert {role: peak for role, peak in peaks.items() if peak > bounds[role]} == {}


@pytest.fixture
def target(service: Service) -> Target:
    """The service, by a client key."""
    host, _, port = service.grpc.rpartition(":")
    return Target(host, int(port), service.client_key)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_a_hostile_request_gets_a_clear_answer_and_harms_nobody(
    service: Service, target: Target, request_: Request
) -> None:
    assert status_of(target, request_.bytes_for(target)) in request_.answers

    assert service.post("neighbour").status_code == 202


@pytest.mark.parametrize("attack", CONNECTIONS, ids=lambda attack: attack.name)
def test_others_are_served_while_somebody_keeps_the_service_busy(
    service: Service, target: Target, attack: Connections
) -> None:
    over = threading.Event()
    neighbours: list[int] = []
    began_late = 0
    attacked_s = time.monotonic()

    def post() -> None:
        nonlocal began_late
        while not over.is_set():
            began_s = time.monotonic()
            neighbours.append(service.post("neighbour").status_code)
            began_late += began_s > attacked_s + _HOLD_S / 2 and not over.is_set()

    posting = threading.Thread(target=post)
    posting.start()
    try:
        answers = attack.keep_up(target, _HOLD_S)
    finally:
        over.set()
        posting.join(timeout=60)

    assert set(answers) <= set(attack.answers)
    assert began_late, "none was served while the attack lasted"
    assert set(neighbours) == {202}
