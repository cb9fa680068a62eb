"""Each process is killed once under load: the service heals, and every acknowledged request is in the lake once."""

import os
import signal
from pathlib import Path

import pytest

from sluice.supervisor.process_id import process_id
from tests.support.ledger.load import Load, assert_lake_has_what_was_told, load_on
from tests.support.service import Service
from tests.support.waiting import wait_until

# Requests of all sizes.
_LOAD = {"rest": 3, "native": 1, "text_bytes": 0}
# Short segments and files, so that there is always one open, one sealed and one being published.
_BUSY = ("--workers", "2", "--seal-age", "200ms", "--lake-age", "300ms")


def _more_is_acknowledged(load: Load, *, requests: int = 10) -> None:
    load.wait_for("202", "OK", more=requests, within_s=40)


def _is_replaced(service: Service, role: str, pid: int) -> bool:
    found = service.run_file.children.get(role)
    return found is not None and found.pid != pid and process_id(found.pid) is not None


@pytest.mark.parametrize("role", ["worker-0", "lake", "envoy"])
def test_a_child_that_is_killed_under_load_is_replaced_and_nothing_is_lost(tmp_path: Path, role: str) -> None:
    with Service(tmp_path / "data", *_BUSY) as service:
        service.wait_until_all_workers_get_requests(2)
        with load_on(service, **_LOAD) as load:
            if role == "lake":
                wait_until(lambda: service.rows("select 1 from events limit 1"), within_s=30, what="a first file")
            pid = service.kill(role)
            wait_until(lambda: _is_replaced(service, role, pid), within_s=20, what=f"{role} is replaced")
            wait_until(service.is_ready, within_s=20, what="the service is ready again")
            _more_is_acknowledged(load)

        assert_lake_has_what_was_told(service, load.ledger)
        if role == "worker-0":
            # No more than what it had in hand: the next went to the other worker.
            assert max(load.not_acknowledged()) <= 1


def test_a_supervisor_that_is_killed_under_load_takes_all_with_it_and_the_next_start_loses_nothing(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path / "data", *_BUSY)
    service.start()
    with load_on(service, **_LOAD) as load:
        _more_is_acknowledged(load)
        pids = [process.pid for process in service.run_file.children.values()]
        service.kill("supervisor")
    wait_until(lambda: all(process_id(pid) is None for pid in pids), within_s=20, what="all its children have ended")

    with service:
        assert_lake_has_what_was_told(service, load.ledger)


def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    with Service(tmp_path / "data", *_BUSY) as service:
        # One that has not come up yet is given a minute.
        service.wait_until_all_workers_get_requests(2)
        with load_on(service, **_LOAD) as load:
            pid = service.pid("worker-0")
            os.kill(pid, signal.SIGSTOP)
            wait_until(
                lambda: _is_replaced(service, "worker-0", pid), within_s=30, what="the hanging worker is replaced"
            )
            _more_is_acknowledged(load)

        assert_lake_has_what_was_told(service, load.ledger)


def test_a_start_beside_orphans_that_hang_kills_them_and_loses_nothing(tmp_path: Path) -> None:
    service = Service(tmp_path / "data", *_BUSY)
    service.start()
    orphans = [service.pid(role) for role in ("worker-0", "worker-1", "lake")]
    with load_on(service, **_LOAD) as load:
        _more_is_acknowledged(load)
        for pid in orphans:
            os.kill(pid, signal.SIGSTOP)
        service.kill("supervisor")

    with service:
        assert all(process_id(pid) is None for pid in orphans)
        assert_lake_has_what_was_told(service, load.ledger)


def test_a_log_folder_that_cannot_be_listed_ends_no_service(tmp_path: Path) -> None:
    folder = tmp_path / "data/log/open"
    with Service(tmp_path / "data", *_BUSY) as service:
        with load_on(service, **_LOAD) as load:
            folder.rename(tmp_path / "away")
            folder.write_text("in the way")
            load.wait_for("503", more=1)
            wait_until(lambda: "can't be looked at" in service.messages(), within_s=20, what="the supervisor sees it")
            folder.unlink()
            (tmp_path / "away").rename(folder)
            _more_is_acknowledged(load)
        wait_until(service.is_ready, within_s=20, what="the service is ready again")

        assert_lake_has_what_was_told(service, load.ledger)


def test_a_lake_folder_that_cannot_be_used_holds_up_no_client_even_when_the_lake_writer_dies(tmp_path: Path) -> None:
    folder = tmp_path / "data/lake"
    with Service(tmp_path / "data", *_BUSY) as service:
        wait_until(folder.exists, within_s=20, what="the lake writer has started")
        with load_on(service, **_LOAD) as load:
            folder.rename(tmp_path / "away")
            folder.write_text("in the way")
            pid = service.kill("lake")
            wait_until(lambda: _is_replaced(service, "lake", pid), within_s=20, what="the lake writer is replaced")
            wait_until(lambda: "staging failed" in service.messages(), within_s=20, what="its successor fails too")
            _more_is_acknowledged(load)
            assert service.is_ready()
            assert service.try_command("flush", "--timeout", "1s").returncode == 1
            folder.unlink()
            (tmp_path / "away").rename(folder)

        assert_lake_has_what_was_told(service, load.ledger)
