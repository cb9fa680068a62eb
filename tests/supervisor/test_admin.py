"""The admin port, over real connections."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sluice.supervisor.admin import AdminAddressTaken, AdminServer, Snapshot
from sluice.supervisor.figures import LakeLag
from sluice.supervisor.health import Health
from sluice.supervisor.readiness import LIVE_WITHIN_S, Facts
from tests.support.waiting import wait_until

_READY = Facts(recovered=True, edge_listens=True, workers=(Health.SERVING,), workers_healthy=1)


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[AdminServer]:
    server = AdminServer("127.0.0.1", 0, metrics=tmp_path)
    yield server
    server.close()


def _get(admin: AdminServer, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{admin.address[1]}{path}", timeout=5)


def test_ready_is_200_with_the_lag(admin: AdminServer) -> None:
    admin.snapshot = Snapshot(facts=_READY, lag=LakeLag(waiting_segments=2, waiting_bytes=300, oldest_waiting_s=4.5))
    answer = _get(admin, "/readyz")
    told = answer.json()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert 0 <= told["lake"].pop("looked_s_ago") < 5
    assert told == {
        "ready": True,
        "reasons": [],
        "workers_healthy": 1,
        "log_causes": [],
        "lake": {
            "waiting_segments": 2,
            "waiting_bytes": 300,
            "oldest_waiting_s": 4.5,
            "rejects_waiting_segments": 0,
            "rejects_waiting_bytes": 0,
        },
    }


def test_a_lag_that_could_not_be_looked_at_lately_is_told_with_its_age(admin: AdminServer) -> None:
    admin.snapshot = Snapshot(facts=_READY, looked_at=time.monotonic() - 100)

    assert 100 <= _get(admin, "/readyz").json()["lake"]["looked_s_ago"] < 110


def test_not_ready_is_503_with_every_reason(admin: AdminServer) -> None:
    admin.snapshot = Snapshot(facts=Facts(draining=True, recovered=True, edge_listens=True))
    answer = _get(admin, "/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["draining", "no_worker_healthy"]


def test_a_loop_that_does_not_turn_is_not_live(admin: AdminServer) -> None:
    assert _get(admin, "/livez").status_code == 200
    admin.snapshot = Snapshot(turned_at=time.monotonic() - LIVE_WITHIN_S - 1)

    assert _get(admin, "/livez").status_code == 503
    assert _get(admin, "/livez").json() == {"live": False}


def test_other_paths_are_404_and_other_methods_are_refused(admin: AdminServer) -> None:
    url = f"http://127.0.0.1:{admin.address[1]}"

    assert _get(admin, "/").status_code == 404
    assert httpx.post(f"{url}/readyz", timeout=5).status_code == 501
    assert httpx.head(f"{url}/livez", timeout=5).content == b""


def test_a_taken_address_is_named(admin: AdminServer, tmp_path: Path) -> None:
    with pytest.raises(AdminAddressTaken, match=r"can't listen on 127\.0\.0\.1:\d+ .* already in use") as refused:
        AdminServer("127.0.0.1", admin.address[1], metrics=tmp_path)

    assert "--admin" in refused.value.hint


def test_a_connection_that_takes_too_long_is_closed(admin: AdminServer) -> None:
    with socket.create_connection(admin.address, timeout=5) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        _get(admin, "/livez")  # by now the first connection was taken up too
        admin.close_overdue(time.monotonic() + 60)

        assert connection.recv(100) == b""


def test_more_connections_than_there_may_be_are_closed_at_once(admin: AdminServer) -> None:
    connections = [socket.create_connection(admin.address, timeout=5) for _ in range(40)]
    try:
        assert connections[-1].recv(100) == b""
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: _answers(admin), within_s=10, what="it answers when others have gone")


def _answers(admin: AdminServer) -> bool:
    try:
        return _get(admin, "/livez").status_code == 200
    except httpx.HTTPError:
        return False
