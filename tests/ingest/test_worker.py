"""The real process, with the real log: what ends it, and that nothing acknowledged is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from sluice.log.reader import LocalSegments
from sluice.storage.v1 import log_record_pb2
from tests.support.ingest_server import config_for, rest
from tests.support.waiting import wait_until

_BODY = b'{"events":[{"user":{"userID":"u1"},"eventName":"e","time":1}]}'


class _Worker:
    """A worker's process and the write end of its lifeline."""

    def __init__(self, folder: Path) -> None:
        read_end, self.lifeline = os.pipe()
        self.data_dir = folder
        self.socket = folder / "w.sock"
        config = asdict(config_for(folder, lifeline_fd=read_end, seal_age_s=60.0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sluice.ingest.worker", json.dumps(config)],
            pass_fds=(read_end,),
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(read_end)
        wait_until(self.socket.exists, within_s=20)

    def channel(self) -> grpc.Channel:
        channel = grpc.insecure_channel(f"unix:{self.socket}", options=[("grpc.use_local_subchannel_pool", 1)])
        grpc.channel_ready_future(channel).result(timeout=10)
        return channel

    def let_go(self) -> None:
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1

    def wait(self) -> int:
        return self.process.wait(timeout=15)

    def bodies(self) -> list[bytes]:
        segments = LocalSegments(self.data_dir / "log")
        records = [record for segment in segments.waiting() for _, record in segments.read(segment)]  # type: ignore[misc]  # nothing here is damaged
        assert all(isinstance(record, log_record_pb2.LogRecord) for record in records)
        return [record.body for record in records]


@pytest.fixture
def worker(tmp_path: Path, server_key: str) -> Iterator[_Worker]:
    assert server_key
    started = _Worker(tmp_path)
    yield started
    started.let_go()
    if started.process.poll() is None:
        started.process.kill()
    started.wait()
    assert started.process.stderr is not None
    started.process.stderr.close()


def _post(worker: _Worker, key: str, times: int = 1) -> None:
    with worker.channel() as channel:
        for _ in range(times):
            answer = rest(channel, _BODY, ("statsig-api-key", key), ("statsig-client-time", "1"))
            assert answer.code is grpc.StatusCode.OK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_all_that_was_acknowledged_sealed(
    worker: _Worker, server_key: str, number: signal.Signals
) -> None:
    _post(worker, server_key, times=3)

    worker.process.send_signal(number)

    assert worker.wait() == 0
    assert worker.bodies() == [_BODY] * 3


def test_the_end_of_its_supervisor_ends_it_alike(worker: _Worker, server_key: str) -> None:
    _post(worker, server_key)

    worker.let_go()

    assert worker.wait() == 0
    assert worker.bodies() == [_BODY]


def test_two_signals_end_it_too_and_lose_nothing_that_was_acknowledged(worker: _Worker, server_key: str) -> None:
    _post(worker, server_key)

    worker.process.send_signal(signal.SIGTERM)
    worker.process.send_signal(signal.SIGTERM)

    assert worker.wait() == 0
    assert worker.bodies() == [_BODY]


def test_a_request_to_seal_seals_while_it_serves(worker: _Worker, server_key: str) -> None:
    _post(worker, server_key)

    worker.process.send_signal(signal.SIGUSR1)

    wait_until(lambda: worker.bodies() == [_BODY])
    _post(worker, server_key)


def test_calls_under_load_are_answered_or_refused_when_it_is_told_to_end(worker: _Worker, server_key: str) -> None:
    metadata = [
        ("x-envoy-original-path", "/v1/log_event"),
        ("statsig-api-key", server_key),
        ("statsig-client-time", "1"),
    ]
    message = HttpBody(data=_BODY).SerializeToString()
    with worker.channel() as channel:
        call = channel.unary_unary("/sluice.events.v1.HttpEventsService/LogEvent")
        futures = [call.future(message, metadata=metadata, timeout=15) for _ in range(300)]
        wait_until(futures[0].done)
        worker.process.send_signal(signal.SIGTERM)
        codes = [future.code() for future in futures]

    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    assert worker.wait() == 0
    assert len(worker.bodies()) == codes.count(grpc.StatusCode.OK)


def _descriptors(worker: _Worker) -> tuple[int, list[int]]:
    """Of the socket that listens, and of the connections that it has taken."""
    # Num RefCount Protocol Flags Type St Inode Path, as in proc_net_unix(5); Flags: 10000, it listens.
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    listens = {f"socket:[{line[6]}]": line[3] == "00010000" for line in lines if line[7:] == [str(worker.socket)]}
    opened: dict[int, str] = {}
    for entry in Path(f"/proc/{worker.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # a file that it has closed meanwhile
            opened[int(entry.name)] = str(entry.readlink())
    [listening] = [number for number, target in opened.items() if listens.get(target)]
    return listening, [number for number, target in opened.items() if listens.get(target) is False]


def test_no_connection_outlives_a_killed_workers_listening_socket_which_would_take_another(worker: _Worker) -> None:
    with ExitStack() as cleanup:
        for _ in range(100):
            connection = cleanup.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(10)
            connection.connect(str(worker.socket))
            assert connection.recv(1)  # the worker has taken it, and speaks first
        listening, accepted = _descriptors(worker)

    # The kernel closes a dead process's sockets from the highest number down.
    assert len(accepted) == 100
    assert listening > max(accepted)


def test_keys_that_cant_be_read_are_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("nonsense")

    ended = subprocess.run(
        [sys.executable, "-m", "sluice.ingest.worker", json.dumps(asdict(config_for(tmp_path)))],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 1
    assert json.loads(ended.stderr.splitlines()[-1])["event"] == "worker failed"


@pytest.mark.parametrize("name", ["", "log"])
def test_it_works_in_no_other_folder_than_its_supervisor(tmp_path: Path, name: str) -> None:
    own, data = tmp_path / "own", tmp_path / "data"
    for folder in (own, data / "log"):
        folder.mkdir(parents=True)
    facts = own.stat()
    config = config_for(data, places=[(str(data / name), facts.st_dev, facts.st_ino)])

    ended = subprocess.run(
        [sys.executable, "-m", "sluice.ingest.worker", json.dumps(asdict(config))],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 1
    assert "not the folder that was there at the start" in json.loads(ended.stderr.splitlines()[-1])["error"]
    assert [path.name for path in data.rglob("*")] == ["log"]


@pytest.mark.parametrize("arguments", [[], ["{}"]])
def test_wrong_arguments_are_exit_code_2(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sluice.ingest.worker", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
