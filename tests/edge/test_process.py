import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.edge import binary
from sluice.edge.admin import AdminUnreachable, WorkersSeen
from sluice.edge.binary import EnvoyMissing
from sluice.edge.config import EdgeConfig
from sluice.edge.process import AddressTaken, EnvoyFailed, EnvoyProcess
from tests.support.edge import post, running_edge
from tests.support.waiting import wait_until


def _config(folder: Path, **settings) -> EdgeConfig:
    defaults = {
        "listen_host": "127.0.0.1",
        "listen_port": 0,
        "admin_socket": str(folder / "envoy.sock"),
        "worker_sockets": (str(folder / "worker-0.sock"),),
        "supervisor_host": "127.0.0.1",
        "supervisor_port": 9,
    }
    return EdgeConfig(**(defaults | settings))


def test_port_0_is_any_free_one_and_two_run_side_by_side(short_folder, edge):
    with running_edge(short_folder, workers=1) as other:
        assert other.address[1] not in {0, edge.address[1]}
        assert other.post().status == 202


def test_a_taken_port_is_named_before_anything_starts(short_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        envoy = EnvoyProcess(_config(short_folder, listen_port=port), short_folder)

        with pytest.raises(AddressTaken, match=f"127.0.0.1:{port}: address already in use"):
            asyncio.run(envoy.start())


def test_a_second_envoy_never_shares_a_port(short_folder, edge, monkeypatch):
    monkeypatch.setattr("sluice.edge.process.must_be_free", lambda *_: None)

    async def start_on_the_same_port():
        envoy = EnvoyProcess(_config(short_folder, listen_port=edge.address[1]), short_folder)
        await envoy.start()
        await envoy.wait_listening(10)

    with pytest.raises(EnvoyFailed, match="ended with 1 before it listened"):
        asyncio.run(start_on_the_same_port())


def test_a_missing_envoy_is_named(short_folder, monkeypatch):
    monkeypatch.setattr(binary, "find_spec", lambda _: None)

    with pytest.raises(EnvoyMissing, match="not installed"):
        asyncio.run(EnvoyProcess(_config(short_folder), short_folder).start())


def test_it_listens_without_any_worker_answers_503_and_counts_it(short_folder):
    async def run():
        envoy = EnvoyProcess(_config(short_folder), short_folder)
        await envoy.start()
        await envoy.wait_listening(10)
        answers = [await asyncio.to_thread(post, envoy.address) for _ in range(3)]
        seen = await envoy.workers()
        return {answer.status for answer in answers}, seen, await envoy.stop(5), await envoy.stop(5)

    assert asyncio.run(run()) == ({503}, WorkersSeen(healthy=0, turned_away=3), 0, 0)


def test_one_that_hangs_is_killed_at_the_deadline(short_folder):
    async def run():
        envoy = EnvoyProcess(_config(short_folder), short_folder)
        await envoy.start()
        await envoy.wait_listening(10)
        os.kill(envoy.pid, signal.SIGSTOP)
        return await envoy.stop(0.2)

    assert asyncio.run(run()) == -signal.SIGKILL


def test_its_death_ends_wait_and_its_admin_is_unreachable(short_folder):
    async def run():
        envoy = EnvoyProcess(_config(short_folder), short_folder)
        await envoy.start()
        await envoy.wait_listening(10)
        os.kill(envoy.pid, signal.SIGKILL)
        code = await envoy.wait()
        with pytest.raises(AdminUnreachable):
            await envoy.active_requests()
        return code

    assert asyncio.run(run()) == -signal.SIGKILL


def test_it_dies_with_the_process_that_started_it(short_folder):
    script = (
        "import asyncio, sys; from pathlib import Path; from tests.edge.test_process import _config;"
        "from sluice.edge.process import EnvoyProcess\n"
        "async def run():\n"
        "    envoy = EnvoyProcess(_config(Path(sys.argv[1])), Path(sys.argv[1])); await envoy.start()\n"
        "    await envoy.wait_listening(10); print(envoy.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(run())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, short_folder], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as parent:
        pid = int(parent.stdout.readline())
        assert _runs(pid)
        parent.kill()

    wait_until(lambda: not _runs(pid))


def test_it_is_refused_in_a_thread_whose_end_would_kill_it(short_folder):
    raised = []

    def start():
        try:
            asyncio.run(EnvoyProcess(_config(short_folder), short_folder).start())
        except RuntimeError as exc:
            raised.append(str(exc))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(10)

    assert raised == ["Envoy would end with this thread: start it in the main thread"]


def test_a_drain_lets_requests_in_flight_end_and_takes_no_new_connection(short_folder):
    release = threading.Event()

    async def wait_for_release(_call):
        await asyncio.to_thread(release.wait, 10)

    with running_edge(short_folder, workers=1) as edge, ThreadPoolExecutor(1) as pool:
        edge.workers[0].answer = wait_for_release
        in_flight = pool.submit(edge.post)
        wait_until(lambda: len(edge.calls) == 1)

        edge.run(edge.envoy.begin_drain())
        assert edge.run(edge.envoy.active_requests()) == 1
        edge.run(edge.envoy.close_listeners())
        wait_until(lambda: _refuses_connections(edge.address))
        release.set()
        answer = in_flight.result()
        wait_until(lambda: edge.run(edge.envoy.active_requests()) == 0)

    assert answer.status == 202
    assert answer.header("connection") == "close"


def test_new_connections_are_refused_soon_after_a_drain_has_begun(short_folder):
    with running_edge(short_folder, workers=1) as edge:
        edge.run(edge.envoy.begin_drain())

        # While they are taken, a client that comes back again and again keeps the drain from its end.
        wait_until(lambda: _refuses_connections(edge.address), within_s=4)


def test_a_health_watch_is_no_request_that_a_drain_waits_for(edge):
    with grpc.insecure_channel("{}:{}".format(*edge.address)) as channel:
        watches = [health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()) for _ in range(3)]
        for watch in watches:
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        with ThreadPoolExecutor(1) as pool:
            release = threading.Event()

            async def wait_for_release(_call):
                await asyncio.to_thread(release.wait, 10)

            for worker in edge.workers:
                worker.answer = wait_for_release
            in_flight = pool.submit(edge.post)
            wait_until(lambda: len(edge.calls) == 1)
            beside_a_request = edge.run(edge.envoy.active_requests())
            release.set()
            in_flight.result()
        wait_until(lambda: edge.run(edge.envoy.active_requests()) == 0)
        for watch in watches:
            watch.cancel()

    assert beside_a_request == 1


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_questions_go_to_the_supervisor(edge, path):
    answer = edge.post(b"", path=path, method="GET")

    assert (answer.status, answer.json) == (200, {"path": path})


def test_the_key_is_in_no_message_and_in_no_access_log(short_folder, capfd):
    with running_edge(short_folder, workers=1, access_log=True, max_body_bytes=1024) as edge:
        for body in (b"{}", b"x" * 2048):
            for chunked in (False, True):
                edge.post(body, path="/v1/log_event?k=client-hidden", chunked=chunked)
        edge.post(path="/v1/unknown?k=client-hidden")

    written = capfd.readouterr().err
    assert '"path":"/v1/log_event"' in written
    assert '"status":413' in written
    assert "client-hidden" not in written


def _refuses_connections(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def _runs(pid: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False
