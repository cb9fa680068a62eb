import asyncio
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.support.edge import running_edge
from tests.support.fake_worker import Refusal
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def _pair():
    with tempfile.TemporaryDirectory(prefix="edge-") as folder, running_edge(Path(folder)) as edge:
        yield edge


@pytest.fixture
def pair(_pair):
    """An edge whose workers a test may stop; both serve again afterwards."""
    _pair.forget()
    yield _pair
    for worker in _pair.workers:
        worker.start()
        worker.set_serving(True)
    _pair.await_healthy(2)


def test_requests_are_spread_over_the_workers(pair):
    for _ in range(20):
        pair.post()

    sent_to = [sum(call.worker == worker.socket.name for call in pair.calls) for worker in pair.workers]
    assert min(sent_to) >= 9


def test_no_request_fails_while_a_worker_drains_ends_and_returns(pair):
    answers = []
    done = threading.Event()

    def load():
        while not done.is_set():
            answers.append(pair.post().status)

    def sent_to_the_first():
        return sum(call.worker == pair.workers[0].socket.name for call in pair.calls)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(load)
        wait_until(lambda: sent_to_the_first() > 10)
        pair.workers[0].set_serving(False)
        wait_until(lambda: {call.worker for call in pair.calls[-20:]} == {pair.workers[1].socket.name})
        pair.workers[0].stop()
        before = sent_to_the_first()
        pair.workers[0].start()
        wait_until(lambda: sent_to_the_first() > before + 10)
        done.set()

    assert set(answers) == {202}
    assert len(answers) == len(pair.calls)


def test_no_request_fails_after_a_worker_has_died(pair):
    pair.workers[0].stop()

    assert {pair.post().status for _ in range(50)} == {202}
    assert len(pair.calls) == 50


def test_a_worker_that_returns_is_used_within_a_second(pair):
    pair.workers[0].stop()
    pair.await_healthy(1)
    began = time.monotonic()

    pair.workers[0].start()
    pair.await_healthy(2)

    assert time.monotonic() - began < 1


def test_without_any_worker_the_answer_is_503_at_once(pair):
    for worker in pair.workers:
        worker.stop()
    began = time.monotonic()

    answer = pair.post()

    assert (answer.status, answer.json["status"], answer.header("retry-after")) == (503, 503, "1")
    assert time.monotonic() - began < 1


def test_a_worker_that_drains_gets_no_more_requests_and_none_fails(pair):
    def ten_requests_go_to_the_other():
        pair.forget()
        assert {pair.post().status for _ in range(10)} == {202}
        return {call.worker for call in pair.calls} == {pair.workers[1].socket.name}

    pair.workers[0].set_serving(False)

    wait_until(ten_requests_go_to_the_other)


def test_a_client_that_goes_away_costs_others_nothing(pair):
    async def hang(_call):
        await asyncio.sleep(0.3)

    for worker in pair.workers:
        worker.answer = hang
    for count in range(1, 11):
        with socket.create_connection(pair.address) as connection:
            connection.sendall(b"POST /v1/log_event HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            wait_until(lambda count=count: len(pair.calls) == count)
    pair.forget()

    assert {pair.post().status for _ in range(10)} == {202}


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
def test_a_call_that_a_worker_began_is_never_sent_again(pair, code):
    async def refuse(_call):
        return Refusal(code, "no", with_details=False)

    for worker in pair.workers:
        worker.answer = refuse

    assert pair.post().status == 503
    assert len(pair.calls) == 1


def test_a_call_whose_worker_is_killed_amid_it_is_503_and_is_not_sent_again(pair):
    async def hang(_call):
        await asyncio.sleep(30)

    for worker in pair.workers:
        worker.answer = hang
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(pair.post)
        wait_until(lambda: len(pair.calls) == 1)
        for worker in pair.workers:
            worker.stop()

    assert answer.result().status == 503
    assert len(pair.calls) == 1
