"""What both images run, as their users and side by side, from a wheel that was installed as the Dockerfile does."""

import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sluice.supervisor.first_start import FIRST_KEYS_NAME
from tests.support.containers import ENVOY, ROOT, SERVER, user_of
from tests.support.waiting import wait_until
from tests.support.without_an_engine import Containers, install_server, python_for_everybody, run_as

_NOBODY = 65534


@pytest.fixture(scope="module")
def commands() -> Iterator[Path]:
    python_for_everybody()
    with tempfile.TemporaryDirectory(prefix="sluice-image-") as folder:
        Path(folder).chmod(0o755)
        yield install_server(Path(folder))


@pytest.fixture
def containers(commands: Path) -> Iterator[Containers]:
    # Not pytest's own folders: other users can't enter them, and their names are too long for sockets.
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        Path(folder).chmod(0o755)
        both = Containers(folder=Path(folder), commands=commands)
        try:
            yield both
        finally:
            both.close()


def _post(client: httpx.Client, containers: Containers, key: str, name: str) -> int:
    event = {"user": {"userID": "u1"}, "eventName": name, "time": 1767225600000}
    headers = {"statsig-api-key": key, "statsig-client-time": str(int(time.time() * 1000))}
    return client.post(
        f"http://{containers.address}/v1/log_event", json={"events": [event]}, headers=headers
    ).status_code


def _connects(path: Path, *, user: int, group: int) -> bool:
    script = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    done = run_as(user, group, ["python3", "-c", script])
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def test_an_event_gets_through_both_to_the_lake_and_a_stop_loses_nothing_and_cuts_nothing(
    containers: Containers,
) -> None:
    containers.start_server()
    containers.start_envoy()
    wait_until(lambda: containers.is_healthy(ENVOY), within_s=30, what="Envoy's health check passes")
    assert containers.is_healthy(SERVER)

    key = (containers.data / FIRST_KEYS_NAME).read_text().splitlines()[1]
    with httpx.Client(timeout=10) as client:
        assert _post(client, containers, key, "first") == 202
    containers.sluice("flush")
    assert containers.sluice("query", "--format", "csv", "select event_name from events") == "event_name\nfirst\n"
    assert "listens on         what an external Envoy listens on" in containers.sluice("status")

    # Compose stops the server first: Envoy, which nobody tells of it, answers 503.
    enough = threading.Event()
    answers: Counter[int] = Counter()
    counting = threading.Lock()

    def send() -> None:
        with httpx.Client(timeout=10) as client:
            while not enough.is_set():
                status = _post(client, containers, key, "load")
                with counting:
                    answers[status] += 1

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: answers[202] > 100, within_s=20, what="requests are answered")
    code = containers.stop(SERVER)
    envoy_is_healthy = containers.is_healthy(ENVOY)
    wait_until(lambda: answers[503] > 100, within_s=20, what="requests are refused")
    enough.set()
    for thread in threads:
        thread.join(20)

    assert code == 0
    assert not envoy_is_healthy
    assert set(answers) == {202, 503}
    count = containers.sluice("query", "--format", "csv", "select count(*) n from events where event_name = 'load'")
    assert count == f"n\n{answers[202]}\n"
    assert containers.stop(ENVOY) == 0


def test_only_the_group_of_the_sockets_reaches_the_workers_and_only_the_server_can_replace_them(
    containers: Containers,
) -> None:
    containers.start_server()
    worker = containers.sockets / "worker-0.sock"
    wait_until(worker.exists, within_s=30, what="a worker listens")
    user, group = user_of(ENVOY)

    assert _connects(worker, user=user, group=group)
    assert not _connects(worker, user=user, group=_NOBODY)
    assert run_as(user, group, ["rm", "-f", str(worker)]).returncode == 1


def test_a_folder_of_sockets_that_belongs_to_somebody_else_is_named_with_what_mends_it(containers: Containers) -> None:
    os.chown(containers.sockets, 0, 0)
    containers.sockets.chmod(0o755)

    with pytest.raises(AssertionError, match="can't make sockets there") as failed:
        containers.start_server()

    assert f"chown {user_of(SERVER)[0]} {containers.sockets}" in str(failed.value)


def test_the_image_can_write_envoy_s_configuration_anew(commands: Path) -> None:
    rendered = run_as(*user_of(SERVER), [str(commands / "python"), "-m", "sluice.edge.compose"])
    more = run_as(*user_of(SERVER), [str(commands / "python"), "-m", "sluice.edge.compose", "--workers", "3"])

    assert rendered.stdout == (ROOT / "envoy/envoy.yaml").read_text()
    assert "worker-2.sock" in more.stdout
    assert "worker-3.sock" not in more.stdout


def test_the_image_has_no_envoy_of_its_own(commands: Path) -> None:
    found = run_as(*user_of(SERVER), [str(commands / "python"), "-c", "import envoy"])

    assert "ModuleNotFoundError" in found.stderr
