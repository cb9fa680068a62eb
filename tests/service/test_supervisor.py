"""`sluice up` as a whole: start, readiness, run.json, refusal of a second one, drain and its exit codes."""

import contextlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice import disk
from sluice.events.v1 import events_pb2, events_service_pb2_grpc
from sluice.supervisor.process_id import process_id
from tests.support.service import SLUICE, Service
from tests.support.waiting import wait_until


def _up(*flags: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SLUICE, "up", *flags],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _free_ports(data_dir: Path) -> list[str]:
    return ["--data-dir", str(data_dir), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]


def test_an_event_goes_all_the_way(service: Service) -> None:
    answer = service.post("bought", "sold")
    service.flush()

    assert answer.status_code == 202
    request_id = answer.headers["x-request-id"]
    assert service.rows(f"select event_name from events where request_id = '{request_id}' order by event_index") == [
        ("bought",),
        ("sold",),
    ]


def test_both_ports_say_that_it_is_live_and_ready(service: Service) -> None:
    for port in (service.admin, service.grpc):
        assert httpx.get(f"http://{port}/livez", timeout=5).json() == {"live": True}
        ready = httpx.get(f"http://{port}/readyz", timeout=5)
        assert ready.status_code == 200
        assert ready.json()["ready"]
        assert ready.json()["reasons"] == []
        assert ready.json()["workers_healthy"] >= 1
        assert set(ready.json()["lake"]) == {
            "waiting_segments",
            "waiting_bytes",
            "oldest_waiting_s",
            "rejects_waiting_segments",
            "rejects_waiting_bytes",
            "looked_s_ago",
        }


def test_metrics_are_those_of_all_processes(service: Service) -> None:
    service.post("counted")
    service.flush()

    def shows_all() -> bool:
        text = httpx.get(f"http://{service.admin}/metrics", timeout=5).text
        return all(
            f"\n{line}" in text for line in ("sluice_ready 1.0", "sluice_workers_ready", "sluice_lake_rows_total")
        )

    wait_until(shows_all, within_s=10, what="metrics of supervisor, workers and lake writer")


def test_run_json_names_processes_ports_and_the_folder_of_sockets(service: Service) -> None:
    run = json.loads((service.data_dir / "run.json").read_text())

    assert set(run["children"]) == {"envoy", "lake", *(f"worker-{index}" for index in range(os.cpu_count() or 1))}
    for process in (run["supervisor"], *run["children"].values()):
        found = process_id(process["pid"])
        assert found is not None
        assert found.started == process["started"]
    assert stat.S_IMODE(Path(run["sockets"]).stat().st_mode) == 0o700
    assert stat.S_ISSOCK((Path(run["sockets"]) / "worker-0.sock").stat().st_mode)
    for address in (run["listen"], run["admin"]):
        host, _, port = address.partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()


def test_the_first_keys_are_in_a_file_that_only_its_user_reads_and_never_printed(service: Service) -> None:
    path = service.data_dir / "first-keys"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert service.server_key.startswith("secret-")
    assert service.client_key.startswith("client-")
    assert str(path) in service.messages()
    assert service.server_key not in service.messages()
    assert service.client_key not in service.messages()


def test_a_second_one_on_the_same_folder_is_refused_at_once(service: Service) -> None:
    began = time.monotonic()
    second = _up(*_free_ports(service.data_dir))

    assert second.returncode == 1
    assert "in use by another service" in second.stderr
    assert "hint:" in second.stderr
    assert time.monotonic() - began < 10
    assert service.is_ready()


def test_the_admin_port_bounds_its_connections(service: Service) -> None:
    host, _, port = service.admin.partition(":")
    idle = [socket.create_connection((host, int(port)), timeout=5) for _ in range(100)]
    try:
        wait_until(service.is_ready, within_s=20, what="idle connections are closed")
    finally:
        for connection in idle:
            connection.close()


def test_two_services_run_side_by_side(service: Service, tmp_path: Path) -> None:
    with Service(tmp_path / "data") as other:
        assert other.post("other").status_code == 202
        assert service.post("one").status_code == 202
        other.flush()

        assert other.rows("select event_name from events") == [("other",)]


def test_a_data_folder_with_a_path_of_200_characters_works_beside_a_tmpdir_of_a_long_name(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 40)
    data = data / ("y" * (199 - len(str(data))))
    data.parent.mkdir(parents=True)
    assert len(str(data)) == 200
    temporary = tmp_path / ("t" * 100)
    temporary.mkdir()

    with Service(data, "--workers", "1", environment={"TMPDIR": str(temporary)}) as service:
        assert service.post("far away").status_code == 202
        service.flush()
        assert service.rows("select event_name from events") == [("far away",)]


def test_a_drain_under_load_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    service = Service(tmp_path / "data")
    service.start()
    sockets = Path(service.run_file.sockets)
    pids = [service.run_file.supervisor.pid, *(process.pid for process in service.run_file.children.values())]
    headers = {"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"}
    body = {"events": [{"user": {"userID": "u1"}, "eventName": "e", "time": 1767225600000}]}
    url = f"{service.rest}/v1/log_event"
    stopping = threading.Event()
    acknowledged: list[str] = []

    def post_until_refused() -> None:
        with httpx.Client(timeout=30) as client:
            while True:
                began_before = not stopping.is_set()
                try:
                    answer = client.post(url, json=body, headers=headers)
                except httpx.TransportError:
                    # Whoever connects while the listener closes may be cut off; nothing was promised.
                    assert not began_before, "a request that had begun before the drain was not answered"
                    return
                assert answer.status_code == 202 or not began_before
                if answer.status_code == 202:
                    acknowledged.append(answer.headers["x-request-id"])

    with ThreadPoolExecutor(4) as pool:
        posting = [pool.submit(post_until_refused) for _ in range(4)]
        wait_until(lambda: len(acknowledged) >= 100, within_s=40, what="requests are acknowledged")
        stopping.set()
        service.begin_to_stop()
        code = service.wait()
        for each in posting:
            each.result(timeout=60)

    assert code == 0
    in_lake = [str(row[0]) for row in service.rows("select request_id from events")]
    assert len(in_lake) == len(set(in_lake))
    assert set(acknowledged) <= set(in_lake)
    assert [pid for pid in pids if process_id(pid) is not None] == []
    assert not sockets.exists()
    assert not (tmp_path / "data/run.json").exists()


def test_native_callers_that_keep_sending_and_watch_health_hold_up_no_drain(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", "--workers", "1")
    service.start()
    metadata = [("statsig-api-key", service.server_key)]
    request = events_pb2.LogEventRequest(events=[events_pb2.Event(event_name="e", user=events_pb2.User(user_id="u"))])
    acknowledged: list[str] = []
    failed: set[grpc.StatusCode] = set()
    stopped = threading.Event()

    def call_without_a_pause(channel: grpc.Channel) -> None:
        stub = events_service_pb2_grpc.EventsServiceStub(channel)
        while not stopped.is_set():
            try:
                _, call = stub.LogEvent.with_call(request, metadata=metadata, timeout=20)
            except grpc.RpcError as error:
                failed.add(error.code())
            else:
                acknowledged.append(dict(call.initial_metadata())["x-request-id"])

    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)]
    with contextlib.ExitStack() as cleanup:
        channels = [cleanup.enter_context(grpc.insecure_channel(service.grpc, options)) for _ in range(4)]
        watch = health_pb2_grpc.HealthStub(channels[0]).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        pool = cleanup.enter_context(ThreadPoolExecutor(4))
        cleanup.callback(stopped.set)
        calling = [pool.submit(call_without_a_pause, channel) for channel in channels]
        wait_until(lambda: len(acknowledged) >= 50, within_s=40, what="calls are acknowledged")
        service.begin_to_stop()
        code = service.wait()
        stopped.set()
        for each in calling:
            each.result(timeout=60)

    assert code == 0
    assert "gave up waiting" not in service.messages()
    assert failed <= {grpc.StatusCode.UNAVAILABLE}
    assert set(acknowledged) <= {str(row[0]) for row in service.rows("select request_id from events")}


def test_a_drain_waits_for_a_request_that_is_still_arriving(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", "--workers", "1")
    service.start()
    host, _, port = service.grpc.partition(":")
    body = b'{"events":[{"user":{"userID":"u1"},"eventName":"slow","time":1767225600000}]}'
    head = (
        f"POST /v1/log_event HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        f"statsig-api-key: {service.server_key}\r\nstatsig-client-time: 1767225600000\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + body[:10])
        httpx.get(f"{service.rest}/livez", timeout=5)  # by the time it answers this it has begun the other
        service.begin_to_stop()
        wait_until(lambda: "draining" in service.readyz()["reasons"], within_s=10, what="the drain has begun")
        connection.sendall(body[10:])
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 202")
    assert service.wait() == 0
    assert service.rows("select event_name from events") == [("slow",)]


def test_an_envoy_that_hangs_makes_it_unready_until_it_goes_on(tmp_path: Path) -> None:
    with Service(tmp_path / "data", "--workers", "1") as service:
        envoy = service.pid("envoy")
        os.kill(envoy, signal.SIGSTOP)
        try:
            wait_until(lambda: service.readyz()["reasons"] == ["edge_silent"], within_s=40, what="it is not ready")
        finally:
            os.kill(envoy, signal.SIGCONT)
        wait_until(service.is_ready, within_s=20, what="it is ready again")
        assert service.post("served").status_code == 202


def test_a_second_signal_stops_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", "--workers", "1")
    service.start()
    lake = service.pid("lake")
    os.kill(lake, signal.SIGSTOP)
    assert service.post("waits").status_code == 202
    service.begin_to_stop()
    wait_until(lambda: "draining" in service.readyz()["reasons"], within_s=10, what="the drain has begun")
    began = time.monotonic()
    service.begin_to_stop()
    wait_until(lambda: "stopping at once" in service.messages(), within_s=5, what="the second signal is seen")
    os.kill(lake, signal.SIGCONT)
    code = service.wait(within_s=10)

    assert time.monotonic() - began < 6
    if code == 1:  # else the lake writer was quicker
        assert "the next start takes up what waits" in service.messages()
    service.flush()
    assert service.rows("select event_name from events") == [("waits",)]


def test_a_drain_that_leaves_a_backlog_exits_1_and_nothing_is_lost(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", "--workers", "1", "--drain-timeout", "2s")
    service.start()
    os.kill(service.pid("lake"), signal.SIGSTOP)
    assert service.post("waits").status_code == 202

    assert service.stop() == 1
    assert "the next start takes up what waits" in service.messages()
    assert service.rows("select count(*) from events") == [(0,)]
    service.flush()
    assert service.rows("select event_name from events") == [("waits",)]


@pytest.mark.parametrize("flag", ["--listen", "--admin"])
def test_a_port_in_use_is_named_and_nothing_stays(tmp_path: Path, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _up(*_free_ports(tmp_path / "data"), flag, f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr
    assert f"hint: choose another address with {flag}" in done.stderr
    assert not (tmp_path / "data/run.json").exists()


def test_keys_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/keys.json").write_text("{")
    done = _up(*_free_ports(tmp_path / "data"))

    assert done.returncode == 1
    assert "keys.json" in done.stderr
    assert done.stderr.count("error:") == 1


def test_a_data_folder_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    done = _up(*_free_ports(tmp_path / os.fsdecode(b"\xff")))

    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "not UTF-8" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _up(*_free_ports(tmp_path / "file/data"))

    assert done.returncode == 1
    assert "file" in done.stderr
    assert done.stderr.count("error:") == 1


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(["--seal-age", "10"], id="a duration without a unit"),
        pytest.param(["--transcoding", "json"], id="a value that is none"),
        pytest.param(["--nonsense"], id="a flag that is none"),
    ],
)
def test_wrong_usage_is_2(tmp_path: Path, flags: list[str]) -> None:
    done = _up("--data-dir", str(tmp_path / "data"), *flags)

    assert done.returncode == 2
    assert "error:" in done.stderr


def test_flush_from_another_process_brings_what_was_acknowledged_before(service: Service) -> None:
    for _ in range(3):
        request_id = service.post("e").headers["x-request-id"]
        service.flush()

        assert service.rows(f"select count(*) from events where request_id = '{request_id}'") == [(1,)]


def test_with_an_external_envoy_the_workers_listen_in_the_folder_that_was_given(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    with (
        Service(tmp_path / "data", "--workers", "1", "--edge", "external", "--sockets", str(folder)) as service,
        grpc.insecure_channel(f"unix:{folder / 'worker-0.sock'}") as channel,
    ):
        request = events_pb2.LogEventRequest()
        request.events.add(event_name="direct", time=1767225600000).user.user_id = "u1"
        answer = events_service_pb2_grpc.EventsServiceStub(channel).LogEvent(
            request, metadata=[("statsig-api-key", service.server_key)], timeout=20
        )
        service.flush()

        assert answer.success
        assert service.run_file.listen == ""
        assert "envoy" not in service.run_file.children
        assert service.rows("select event_name, source from events") == [("direct", "grpc")]


def test_on_a_terminal_the_first_start_prints_three_things_that_work_when_pasted(tmp_path: Path) -> None:
    terminal, child_side = os.openpty()
    process = subprocess.Popen(
        [SLUICE, "up", *_free_ports(tmp_path / "data"), "--workers", "1"],
        stdin=child_side,
        stdout=child_side,
        stderr=child_side,
    )
    os.close(child_side)
    shown = ""

    def read_until(text: str) -> bool:
        nonlocal shown
        if select.select([terminal], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):  # EIO: nobody has the other side any more
                shown += os.read(terminal, 65536).decode()
        return text in shown

    try:
        wait_until(lambda: read_until("Ctrl-C stops it."), within_s=40, what="it tells that it serves")
        curl, flush, query = (
            line.strip()
            for line in shown.splitlines()
            if line.startswith("  ") and any(word in line for word in ("curl ", " flush", " query"))
        )
        printed = [
            subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True).stdout
            for command in (curl, flush, query)
        ]
        wait_until(
            lambda: read_until("accepted 1  in the lake 1"), within_s=20, what="the status line counts the event"
        )
    finally:
        process.send_signal(signal.SIGINT)
        wait_until(lambda: read_until("\0") or process.poll() is not None, within_s=60, what="it ends")
        os.close(terminal)

    assert process.returncode == 0
    assert printed[0] == '{"success":true}'
    assert "bought" in printed[2]
    assert not (tmp_path / "data/first-keys").exists()


def test_a_first_start_on_a_port_that_is_taken_makes_no_keys(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = _up(*_free_ports(tmp_path / "data"), "--listen", f"127.0.0.1:{taken.getsockname()[1]}")

    assert done.returncode == 1
    assert "can't listen on" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "data/keys.json").exists()


def test_keys_that_a_failed_first_start_has_made_are_not_lost(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'sluice.ingest.worker' in sys.orig_argv: os._exit(7)\n"
    )
    done = _up(*_free_ports(tmp_path / "data"), environment={"PYTHONPATH": str(tmp_path)})

    assert done.returncode == 1
    assert done.stdout == f"{tmp_path / 'data/first-keys'}\n"
    with Service(tmp_path / "data", "--workers", "1") as service:
        assert service.post("e").status_code == 202


def test_a_child_that_never_comes_up_is_named_and_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'sluice.ingest.worker' in sys.orig_argv: os._exit(7)\n"
    )
    done = _up(*_free_ports(tmp_path / "data"), environment={"PYTHONPATH": str(tmp_path)})

    assert done.returncode == 1
    assert "error: worker-" in done.stderr
    assert "does not start" in done.stderr
    assert not (tmp_path / "data/run.json").exists()
    lock = disk.lock_folder(tmp_path / "data")
    assert lock is not None
    os.close(lock)
