"""Each process is killed once under load: the service heals, and every acknowledged request is in the lake once."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sluice.supervisor.process_id import process_id
from tests.support.service import Service
from tests.support.waiting import wait_until

_EVENTS = 5
_CLIENTS = 4
# Short segments and files, so that there is always one open, one sealed and one being published.
_BUSY = ("--workers", "2", "--seal-age", "200ms", "--lake-age", "300ms")


class _Load:
    """Clients that post without a pause, and note what was acknowledged. What fails was promised nothing."""

    def __init__(self, service: Service) -> None:
        self.acknowledged: list[str] = []
        self.not_acknowledged: Counter[str] = Counter()
        self.failures_of: Counter[int] = Counter()
        self._url = f"{service.rest}/v1/log_event"
        self._headers = {"statsig-api-key": service.server_key, "statsig-client-time": "1767225600000"}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(index,)) for index in range(_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _post(self, index: int) -> None:
        user = {"userID": f"u{index}"}
        event = {"user": user, "eventName": "e", "time": 1767225600000, "metadata": {"text": "x" * 500}}
        with httpx.Client(timeout=40) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(self._url, json={"events": [event] * _EVENTS}, headers=self._headers)
                except httpx.HTTPError as exc:
                    self.not_acknowledged[type(exc).__name__] += 1
                    self.failures_of[index] += 1
                    time.sleep(0.02)
                    continue
                if answer.status_code == 202:
                    self.acknowledged.append(answer.headers["x-request-id"])
                else:
                    self.not_acknowledged[str(answer.status_code)] += 1
                    self.failures_of[index] += 1


@contextmanager
def _load_on(service: Service) -> Iterator[_Load]:
    load = _Load(service)
    try:
        _more_is_acknowledged(load)
        yield load
    finally:
        load.stop()


def _more_is_acknowledged(load: _Load, *, requests: int = 50) -> None:
    before = len(load.acknowledged)
    wait_until(lambda: len(load.acknowledged) >= before + requests, within_s=40, what="more requests are acknowledged")


def _assert_each_is_in_the_lake_once(service: Service, load: _Load) -> None:
    rows = Counter(
        {str(request): count for request, count in service.rows("select request_id, count(*) from events group by 1")}
    )
    assert len(load.acknowledged) == len(set(load.acknowledged))
    assert [request for request in load.acknowledged if rows[request] != _EVENTS] == []
    # A request whose answer was lost may be there too: whole, and once.
    assert set(rows.values()) == {_EVENTS}


def _is_replaced(service: Service, role: str, pid: int) -> bool:
    found = service.run_file.children.get(role)
    return found is not None and found.pid != pid and process_id(found.pid) is not None


@pytest.mark.parametrize("role", ["worker-0", "lake", "envoy"])
def test_a_child_that_is_killed_under_load_is_replaced_and_nothing_is_lost(tmp_path: Path, role: str) -> None:
    with Service(tmp_path / "data", *_BUSY) as service:
        service.wait_until_all_workers_get_requests(2)
        with _load_on(service) as load:
            if role == "lake":
                wait_until(lambda: service.rows("select 1 from events limit 1"), within_s=30, what="a first file")
            pid = service.kill(role)
            wait_until(lambda: _is_replaced(service, role, pid), within_s=20, what=f"{role} is replaced")
            wait_until(service.is_ready, within_s=20, what="the service is ready again")
            _more_is_acknowledged(load)
        service.flush()

        _assert_each_is_in_the_lake_once(service, load)
        if role == "worker-0":
            # No more than what it had in hand, one of each client: the next went to the other worker.
            assert max(load.failures_of.values(), default=0) <= 1, load.not_acknowledged


def test_a_supervisor_that_is_killed_under_load_takes_all_with_it_and_the_next_start_loses_nothing(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "data", *_BUSY)
    service.start()
    with _load_on(service) as load:
        pids = [process.pid for process in service.run_file.children.values()]
        service.kill("supervisor")
    wait_until(lambda: all(process_id(pid) is None for pid in pids), within_s=20, what="all its children have ended")

    with service:
        service.flush()
        _assert_each_is_in_the_lake_once(service, load)


def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    with Service(tmp_path / "data", *_BUSY) as service:
        # One that has not come up yet is given a minute.
        service.wait_until_all_workers_get_requests(2)
        with _load_on(service) as load:
            pid = service.pid("worker-0")
            os.kill(pid, signal.SIGSTOP)
            wait_until(
                lambda: _is_replaced(service, "worker-0", pid), within_s=30, what="the hanging worker is replaced"
            )
            _more_is_acknowledged(load)
        service.flush()

        _assert_each_is_in_the_lake_once(service, load)


def test_a_start_beside_orphans_that_hang_kills_them_and_loses_nothing(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", *_BUSY)
    service.start()
    orphans = [service.pid(role) for role in ("worker-0", "worker-1", "lake")]
    with _load_on(service) as load:
        for pid in orphans:
            os.kill(pid, signal.SIGSTOP)
        service.kill("supervisor")

    with service:
        assert all(process_id(pid) is None for pid in orphans)
        service.flush()
        _assert_each_is_in_the_lake_once(service, load)


def test_a_log_folder_that_cannot_be_listed_ends_no_service(tmp_path: Path) -> None:
    folder = tmp_path / "data/log/open"
    with Service(tmp_path / "data", *_BUSY) as service:
        with _load_on(service) as load:
            folder.rename(tmp_path / "away")
            folder.write_text("in the way")
            wait_until(lambda: load.not_acknowledged["503"], within_s=20, what="the log refuses records")
            wait_until(lambda: "can't be looked at" in service.messages(), within_s=20, what="the supervisor sees it")
            folder.unlink()
            (tmp_path / "away").rename(folder)
            _more_is_acknowledged(load)
        wait_until(service.is_ready, within_s=20, what="the service is ready again")
        service.flush()

        _assert_each_is_in_the_lake_once(service, load)


def test_a_lake_folder_that_cannot_be_used_holds_up_no_client_even_when_the_lake_writer_dies(tmp_path: Path) -> None:
    folder = tmp_path / "data/lake"
    with Service(tmp_path / "data", *_BUSY) as service:
        wait_until(folder.exists, within_s=20, what="the lake writer has started")
        with _load_on(service) as load:
            folder.rename(tmp_path / "away")
            folder.write_text("in the way")
            service.kill("lake")
            wait_until(lambda: "lake writer failed" in service.messages(), within_s=20, what="its successor fails too")
            _more_is_acknowledged(load)
            assert service.is_ready()
            assert service.try_command("flush", "--timeout", "1s").returncode == 1
            folder.unlink()
            (tmp_path / "away").rename(folder)
        service.flush()

        _assert_each_is_in_the_lake_once(service, load)
