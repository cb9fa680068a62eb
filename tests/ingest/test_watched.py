"""A worker whose parts don't go on is not taken for one that is well."""

import threading
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.ingest import server as ingest_server
from tests.support.ingest_server import IngestServer
from tests.support.waiting import wait_until

_SERVING = health_pb2.HealthCheckResponse.SERVING


def _ask(channel: grpc.Channel, within_s: float) -> int:
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=within_s).status


def test_a_worker_whose_event_loop_hangs_does_not_say_that_it_serves(
    server: IngestServer, channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_server, "_HANGS_AFTER_S", 0.5)
    wait_until(lambda: _ask(channel, 10) == _SERVING)
    goes_on = threading.Event()
    server._loop.call_soon_threadsafe(goes_on.wait, 20)

    def is_silent() -> bool:
        try:
            _ask(channel, 0.2)
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return False

    wait_until(is_silent)
    goes_on.set()
    wait_until(lambda: _ask(channel, 10) == _SERVING)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_whose_log_has_ended_ends(tmp_path: Path, server_key: str) -> None:
    assert server_key
    server = IngestServer(tmp_path)
    server.log.is_running = False

    assert server.wait_until_stopped(within_s=5)
