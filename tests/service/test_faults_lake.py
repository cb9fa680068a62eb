"""The disk refuses the lake alone, in the real lake writer: 202 goes on, segments wait, and nothing is lost or doubled.

The errors are raised by the process's own disk.py where a rule says (tests/support/disk_faults.py); a disk that is
really full: test_faults_full_disk.py.
"""

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disk_faults import DiskFaults, Rule
from tests.support.ledger.load import Load, assert_lake_has_what_was_told, load_on
from tests.support.service import Service
from tests.support.told import Told
from tests.support.waiting import wait_until

_FLAGS = ("--workers", "1", "--seal-age", "100ms", "--lake-age", "100ms")

Faulty = tuple[Service, DiskFaults, Load]


def _rule(verb: str, path: str, error: int, *, role: str = "lake") -> Rule:
    return Rule(f"{verb} {path}", role=role, verb=verb, path=path, action="error", errno=error)


@contextlib.contextmanager
def _under_load(folder: Path, *rules: Rule) -> Iterator[Faulty]:
    """A service that sends; at the end its lake has what the ledger says.

    Args:
        folder: an own one.
        rules: what act from its start.
    """
    faults = DiskFaults(folder)
    faults.set(*rules)
    with Service(folder / "data", *_FLAGS, environment=faults.environment) as service:
        with load_on(service, rest=1) as load:
            yield service, faults, load
        faults.set()
        assert_lake_has_what_was_told(service, load.ledger)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """One service for all faults, one after the other: that none needs a restart is a part of the claim."""
    with _under_load(tmp_path_factory.mktemp("faults-lake")) as faulty:
        yield faulty


_FAULTS = [
    pytest.param(_rule("create", "*/.staging/*.parquet", errno.ENOSPC), "write", id="create staged ENOSPC"),
    pytest.param(_rule("write", "*/.staging/*.parquet", errno.ENOSPC), "write", id="write staged ENOSPC"),
    pytest.param(_rule("write", "*/.staging/*.parquet", errno.EIO), "write", id="write staged EIO"),
    pytest.param(_rule("rename", "*/.staging/current.json", errno.EROFS), "write", id="replace current.json EROFS"),
    pytest.param(_rule("sync", "*/.staging/*.parquet", errno.EIO), "sync", id="fsync staged EIO"),
    pytest.param(_rule("rename", "*/received_hour=*", errno.EIO), "move", id="rename EIO"),
    pytest.param(_rule("sync_folder", "*/received_hour=*", errno.EIO), "sync_folder", id="fsync of the folder EIO"),
    pytest.param(_rule("unlink", "*/log/sealed/*", errno.EROFS), "let_go", id="unlink segment EROFS"),
    pytest.param(_rule("read", "*/log/sealed/*", errno.EIO), "unreadable_segment", id="read segment EIO"),
    pytest.param(_rule("read", "*/log/sealed/*", errno.EMFILE), "unreadable_segment", id="read segment EMFILE"),
]


@pytest.mark.parametrize(("rule", "cause"), _FAULTS)
def test_while_the_lake_refuses_202_goes_on_and_segments_wait_and_it_is_told_once_and_heals_by_itself(
    faulty: Faulty, rule: Rule, cause: str
) -> None:
    _told_once_and_heals(faulty, rule, cause)


def test_so_it_is_where_the_folder_of_an_hour_cannot_be_made(tmp_path: Path) -> None:
    rule = _rule("mkdir", "*/received_hour=*", errno.EDQUOT)
    # Before the first file is published: later the folder is there.
    with _under_load(tmp_path, rule) as faulty:
        _told_once_and_heals(faulty, rule, "make_folders")


def _told_once_and_heals(faulty: Faulty, rule: Rule, cause: str) -> None:
    service, faults, load = faulty
    told = Told(service)
    before = load.not_acknowledged()  # another test of this service kills a worker
    with faults.acting(rule):
        error = told.wait_for(level="error", cause=cause)
        load.wait_for("202", "OK", more=10)
        wait_until(lambda: _waiting(service) >= 3, what="segments wait")
        assert service.is_ready()
        assert json.loads(service.command("status", "--json"))["lake_causes"] == [cause]
    again = told.wait_for(level="warning", event="again")
    wait_until(lambda: _waiting(service) <= 3, what="the lake has caught up")
    print(f"recovered after {again['after_s']} s from its beginning")

    assert os.strerror(rule.errno) in error["error"]
    assert f": {service.data_dir}/l" in error["error"]
    assert error["hint"]
    assert json.loads(service.command("status", "--json"))["lake_causes"] == []
    assert told.counted("sluice_lake_failures_total") > 0
    assert told.counted("sluice_lake_failures_by_cause_total", cause=cause) > 0
    # Of segments that can't be read the first are told each, since the others are published.
    assert len(told.messages(level="error")) <= (20 if cause == "unreadable_segment" else 1)
    assert load.not_acknowledged() == before, load.not_served()


def test_a_worker_that_dies_while_segments_cannot_be_sealed_is_recovered_later(faulty: Faulty) -> None:
    service, faults, load = faulty
    told = Told(service)
    rule = _rule("rename", "*/log/sealed/*", errno.EIO, role="supervisor")
    # Then it has a segment open, with a record in it.
    dies = Rule("worker-0 dies", role="worker-0", verb="datasync", path="*/log/open/*", phase="after", times=1)
    killed = service.pid("worker-0")
    with faults.acting(rule, dies):
        told.wait_for(level="error", event="recovery failed", log="requests")
        # It is tried again, and not told again.
        tries = len(faults.fired(rule.id))
        wait_until(lambda: len(faults.fired(rule.id)) > tries, what="recovery is tried again")
        load.wait_for("202", "OK")
        left = [
            path for path in (service.data_dir / "log/open").iterdir() if faults.fired(rule.id)[0]["path"] == str(path)
        ]
        assert len(left) == 1
    told.wait_for(level="warning", event="recovery has succeeded", log="requests")

    assert not left[0].exists()
    assert service.pid("worker-0") != killed
    assert [error["event"] for error in told.messages(level="error")] == [
        "segment can't be recovered",
        "recovery failed, and is tried again",
    ]
    assert all(error["hint"] for error in told.messages(level="error"))
    assert told.counted("sluice_supervisor_failures_total", cause="recovery") >= 2


def test_what_only_tells_of_the_service_fails_alone(faulty: Faulty) -> None:
    service, faults, load = faulty
    told = Told(service)
    listed = service.command("keys", "list", "--json")
    full = [
        _rule("rename", "*/run.json", errno.ENOSPC, role="supervisor"),
        _rule("write", "*/.keys.json.*", errno.ENOSPC, role=""),
    ]
    with faults.acting(*full):
        service.kill("lake")
        told.wait_for(level="error", event="run.json can't be written")
        refused = service.try_command("keys", "create", "--kind", "server")
        load.wait_for("202", "OK")
        assert service.is_ready()
    told.wait_for(level="warning", event="run.json can be written again")

    assert refused.returncode == 1
    assert refused.stdout == ""
    staged = service.data_dir / ".keys.json.new"
    assert refused.stderr == (f"error: {staged}: No space left on device\n  hint: free space on the disk of {staged}\n")
    assert service.command("keys", "list", "--json") == listed
    assert told.counted("sluice_supervisor_failures_total", cause="run_file") > 0
    assert len(told.messages(level="error")) == 1


def test_a_stop_does_not_wait_for_a_lake_that_refuses_and_the_next_start_publishes_what_waits(tmp_path: Path) -> None:
    faults = DiskFaults(tmp_path)
    with Service(tmp_path / "data", *_FLAGS, "--drain-timeout", "60s", environment=faults.environment) as service:
        told = Told(service)
        faults.set(_rule("write", "*/.staging/*.parquet", errno.EROFS))
        assert service.post("waits").status_code == 202
        told.wait_for(level="error", event="nothing is published now", table="events")
        began = time.monotonic()
        code = service.stop()
        took_s = time.monotonic() - began
        [left] = (service.data_dir / "log/sealed").iterdir()
        faults.set()
        service.start()
        wait_until(lambda: not left.exists(), what="it is published without a flush")

        assert code == 1
        assert took_s < 30
        [end] = told.messages(event="stopped; the next start takes up what waits")
        assert (end["level"], end["segments"]) == ("warning", 1)
        assert service.rows("select event_name from events") == [("waits",)]


def _waiting(service: Service) -> int:
    waiting: int = service.readyz()["lake"]["waiting_segments"]
    return waiting
