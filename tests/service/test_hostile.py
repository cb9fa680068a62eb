"""What ill-meaning and broken clients get, and that others are served meanwhile, within the memory that is stated."""

import threading
import time
from collections.abc import Iterator

import pytest

from bench.processes import bounds_mib, peaks_mib, pids
from tests.support.hostile import CONNECTIONS, REQUESTS, Connections, Request, Target, status_of
from tests.support.service import Service

_HOLDS_S = (2.0, 4.0, 8.0)


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
    neighbours: list[tuple[float, float, int]] = []

    def post() -> None:
        while not over.is_set():
            began_s = time.monotonic()
            status = service.post("neighbour").status_code
            neighbours.append((began_s, time.monotonic(), status))

    def is_served(begin_s: float, end_s: float) -> bool:
        return any(begin_s < began_s and ended_s < end_s for began_s, ended_s, _ in neighbours)

    posting = threading.Thread(target=post)
    posting.start()
    answers: list[int] = []
    try:
        # Longer where the machine is slow, but not as long as Envoy waits for what comes slowly.
        for hold_s in _HOLDS_S:
            begin_s = time.monotonic() + hold_s / 4
            answers += attack.keep_up(target, hold_s)
            if is_served(begin_s, time.monotonic()):
                break
        else:
            raise AssertionError(f"none was served while the attack lasted: {neighbours}")
    finally:
        over.set()
        posting.join(timeout=60)

    assert set(answers) <= set(attack.answers)
    assert {status for *_, status in neighbours} == {202}
