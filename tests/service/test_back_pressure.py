"""The lake or the disk stands still: callers get 503 and a reason, operators are told, and it goes on by itself."""

import json
import os
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2

from sluice.events.v1 import events_pb2 as pb
from sluice.events.v1 import events_service_pb2_grpc as services
from sluice.niceness import NICENESS
from tests.support.disk_faults import DiskFaults, Rule
from tests.support.grpc_errors import details_of
from tests.support.service import Service
from tests.support.waiting import wait_until

_MIB = 1024 * 1024
_EVENTS = 20
_NOTE = "x" * 1500
# What is answered to whoever waits when the disk has hung for 5 s; SDKs wait 3 to 20 s.
_PATIENCE_S = 9.0


class _Clients:
    """Post bodies of 30 KB, some at a time, and keep what became of each."""

    def __init__(self, service: Service, *, at_once: int = 3) -> None:
        self.accepted: list[str] = []
        self.refused: list[tuple[httpx.Response, float]] = []
        self._url = f"{service.rest}/v1/log_event"
        self._headers = {"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"}
        self._at_once = at_once

    def post(self) -> httpx.Response:
        event = {"user": {"userID": "u"}, "eventName": "e", "time": 1767225600000, "metadata": {"note": _NOTE}}
        began = time.monotonic()
        answer = httpx.post(self._url, json={"events": [event] * _EVENTS}, headers=self._headers, timeout=30)
        if answer.status_code == 202:
            self.accepted.append(answer.headers["x-request-id"])
        else:
            self.refused.append((answer, time.monotonic() - began))
        return answer

    def post_until_refused(self) -> None:
        refused = threading.Event()

        def post() -> None:
            while not refused.is_set():
                if self.post().status_code != 202:
                    refused.set()

        self._together(post)

    def post_together(self) -> None:
        self._together(self.post)

    def _together(self, work: Any) -> None:
        threads = [threading.Thread(target=work) for _ in range(self._at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

    def assert_each_accepted_is_in_the_lake_once_and_no_refused(self, service: Service) -> None:
        rows = Counter(
            {
                str(request): count
                for request, count in service.rows("select request_id, count(*) from events group by 1")
            }
        )
        assert len(set(self.accepted)) == len(self.accepted)
        assert rows == Counter(dict.fromkeys(self.accepted, _EVENTS))


def _messages(service: Service, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.messages().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


def _metric(service: Service, name: str) -> float:
    text = httpx.get(f"http://{service.admin}/metrics", timeout=5).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _log_bytes(service: Service) -> int:
    return service.readyz()["lake"]["waiting_bytes"]


def _waits_for(service: Service, cause: str, *, ready: bool) -> None:
    def is_told() -> bool:
        told = service.readyz()
        return told["log_causes"] == [cause] and told["ready"] == ready

    wait_until(is_told, within_s=10, what=f"/readyz names {cause}")


def _niceness(pid: int) -> list[int]:
    """Of the process, and of its session where the scheduler takes sessions for groups (sched(7))."""
    autogroup = Path(f"/proc/{pid}/autogroup")
    of_session = [int(autogroup.read_text().split()[-1])] if autogroup.exists() else []
    return [os.getpriority(os.PRIO_PROCESS, pid), *of_session]


def _assert_callers_are_told(service: Service, clients: _Clients) -> None:
    """Over HTTP and gRPC, by a worker or by Envoy: 503, UNAVAILABLE, and when to come again; never 429."""
    clients.post()
    for answer, _ in clients.refused:
        assert answer.status_code == 503
        assert answer.json()["message"].endswith(("send the batch again later", "send it again later"))
        assert int(answer.headers["retry-after"]) in range(1, 6)
    event = pb.Event(event_name="e", time=1767225600000, user=pb.User(user_id="u1"))
    with grpc.insecure_channel(service.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        services.EventsServiceStub(channel).LogEvent(
            pb.LogEventRequest(events=[event]), metadata=[("statsig-api-key", service.server_key)], timeout=20
        )
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    [retry] = details_of(caught.value, error_details_pb2.RetryInfo)
    assert retry.retry_delay.seconds >= 1


def test_a_lake_that_stands_still_fills_the_log_to_its_limit_and_then_requests_are_503_until_it_goes_on(
    tmp_path: Path,
) -> None:
    flags = ("--workers", "1", "--log-limit", "1MiB", "--seal-age", "100ms", "--lake-age", "100ms")
    with Service(tmp_path / "data", *flags, "--lake-size", "64KiB") as service:
        clients = _Clients(service)
        lake, worker = service.pid("lake"), service.pid("worker-0")
        clients.post()
        wait_until(lambda: service.rows("select 1 from events"), within_s=20, what="the lake writer writes")
        os.kill(lake, signal.SIGSTOP)

        clients.post_until_refused()
        _waits_for(service, "log_full", ready=False)

        # Looked up beside; beyond the limit by no more than a commit: here three requests at most.
        wait_until(lambda: _log_bytes(service) > 0.9 * _MIB, within_s=10, what="/readyz shows how full the log is")
        assert _log_bytes(service) < _MIB + 4 * 35_000
        assert service.readyz()["reasons"] == ["log_unwritable"]
        told = service.try_command("status").stdout.splitlines()[:2]
        assert told == ["state              not ready: log unwritable", "log trouble        log full"]
        assert _metric(service, 'sluice_log_failures_total{cause="log_full"}') >= 1
        assert _metric(service, 'sluice_log_outages{cause="log_full"}') == 1
        wait_until(lambda: service.readyz()["workers_healthy"] == 0, within_s=5, what="Envoy knows it")
        _assert_callers_are_told(service, clients)

        os.kill(lake, signal.SIGCONT)
        wait_until(service.is_ready, within_s=15, what="the log takes records again")
        assert clients.post().status_code == 202
        service.flush()

        assert (service.pid("lake"), service.pid("worker-0")) == (lake, worker)
        clients.assert_each_accepted_is_in_the_lake_once_and_no_refused(service)
        files = [message["file"] for message in _messages(service, "file published")]
        assert len(files) > 5
        assert files == sorted(files), "the oldest segments are published first"
        assert len(_messages(service, "log takes no events")) == 1
        assert len(_messages(service, "log takes events again")) == 1
        assert service.readyz()["log_causes"] == []
        assert _metric(service, 'sluice_log_outages{cause="log_full"}') == 0


def test_the_doors_go_first_where_both_want_a_processor(tmp_path: Path) -> None:
    with Service(tmp_path / "data", "--workers", "1") as service:
        lake, others = service.pid("lake"), [service.pid("worker-0"), service.pid("envoy")]
        wait_until(lambda: _niceness(lake) == [NICENESS] * len(_niceness(lake)), within_s=20, what="it steps back")

        assert [_niceness(pid)[0] for pid in others] == [0, 0]


def test_a_disk_that_hangs_is_503_within_a_callers_patience_and_goes_on_without_a_restart(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    with Service(tmp_path / "data", "--workers", "2", environment=faults.environment) as service:
        service.wait_until_all_workers_get_requests(2)
        workers = [service.pid("worker-0"), service.pid("worker-1")]
        clients = _Clients(service)
        clients.post()
        hang = {"verb": "datasync", "path": "*/log/open/*", "action": "hang"}

        with faults.acting(Rule("hang", role="worker-0", **hang)):
            clients.post_together()
            _waits_for(service, "stall", ready=True)
            assert [answer.status_code for answer, _ in clients.refused] == [503] * len(clients.refused)
            assert 1 <= len(clients.refused) < 3
            assert clients.post().status_code == 202, "the other worker takes all"

            faults.set(Rule("hang", role="worker", **hang))
            clients.post_together()
            _waits_for(service, "stall", ready=False)
            assert service.readyz()["reasons"] == ["log_unwritable"]
            assert clients.post().status_code == 503
            assert clients.refused[-1][1] < 1, "who comes while it hangs waits for nothing"
            _assert_callers_are_told(service, clients)
            assert max(seconds for _, seconds in clients.refused) < _PATIENCE_S
            assert _metric(service, 'sluice_log_failures_total{cause="stall"}') == 2

        wait_until(lambda: service.readyz()["workers_healthy"] == 2, within_s=15, what="both workers go on")
        assert clients.post().status_code == 202
        service.flush()

        assert [service.pid("worker-0"), service.pid("worker-1")] == workers
        clients.assert_each_accepted_is_in_the_lake_once_and_no_refused(service)
        errors = _messages(service, "log takes no events")
        assert [(error["level"], error["cause"]) for error in errors] == [("error", "stall")] * 2
        assert all(error["hint"] and error["path"].endswith("/log") for error in errors)
