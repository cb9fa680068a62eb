"""How many requests a worker is sent at a time: what is sent is in its memory before it can refuse it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.edge import limits
from tests.support.edge import running_edge
from tests.support.waiting import wait_until

_MIB = 1024 * 1024


def test_a_worker_has_so_many_requests_at_a_time_and_the_others_wait_for_it(short_folder: Path) -> None:
    active: list[int] = []
    most: list[int] = []
    go_on = asyncio.Event()

    async def hold(_call: Any) -> None:
        active.append(1)
        most.append(len(active))
        await go_on.wait()
        await asyncio.sleep(0.01)
        active.pop()

    with running_edge(short_folder, workers=1, worker_requests=4) as edge, ThreadPoolExecutor(20) as pool:
        [worker] = edge.workers
        worker.answer = hold
        answers = [pool.submit(edge.post) for _ in range(20)]
        wait_until(lambda: len(edge.calls) >= 4, what="the worker has as many as it may")
        worker._loop.call_soon_threadsafe(go_on.set)

        assert [answer.result(timeout=20).status for answer in answers] == [202] * 20
        assert max(most) == 4


def test_calls_without_an_end_take_no_requests_place(short_folder: Path) -> None:
    with running_edge(short_folder, workers=1, worker_requests=2) as edge:
        host, port = edge.address
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(8)]
            assert [next(watch).status for watch in watches] == [health_pb2.HealthCheckResponse.SERVING] * 8

            assert edge.post().status == 202
            for watch in watches:
                watch.cancel()


@pytest.mark.parametrize(
    ("max_body", "in_flight", "requests"),
    [
        pytest.param(10 * _MIB, 64 * _MIB, 51, id="as set"),
        pytest.param(1024, 64 * _MIB, 256, id="small bodies"),
        pytest.param(256 * _MIB, 256 * _MIB, 16, id="the largest"),
    ],
)
def test_so_many_that_their_bytes_are_a_few_times_those_that_a_worker_handles(
    max_body: int, in_flight: int, requests: int
) -> None:
    assert limits.worker_requests(max_body, in_flight_bytes=in_flight) == requests
