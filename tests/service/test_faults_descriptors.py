"""A process has no file descriptors left: the limit of the running process is lowered (prlimit), and raised again."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.ledger.load import Load, assert_lake_has_what_was_told, load_on
from tests.support.service import Service
from tests.support.told import Told
from tests.support.waiting import wait_until

_FLAGS = ("--workers", "1", "--seal-age", "200ms", "--lake-age", "200ms")

# An event that a test posts itself.
_LATER = "later"

Loaded = tuple[Service, Load]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """One service through all of it; at its end its lake has what the ledger says."""
    with Service(tmp_path_factory.mktemp("faults-descriptors") / "data", *_FLAGS) as service:
        wait_until(lambda: _is_up(service, "lake"), within_s=40, what="the lake writer is up")
        with load_on(service, rest=1, reconnects=False) as load:
            wait_until(lambda: service.rows("select 1 from events limit 1"), within_s=40, what="a file is published")
            yield service, load
        assert_lake_has_what_was_told(service, load.ledger, besides={_LATER})


@contextmanager
def _no_descriptors(pid: int) -> Iterator[None]:
    """Let a process open nothing more until the block ends; what it has open stays."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    lowest_free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def _unready_for(service: Service, reason: str) -> dict[str, Any] | None:
    found = service.readyz()
    return found if reason in found["reasons"] else None


def _is_up(service: Service, role: str) -> bool:
    return role in service.run_file.children


def test_a_worker_without_descriptors_is_503_and_told_and_heals(loaded: Loaded) -> None:
    service, load = loaded
    told = Told(service)
    pid = service.pid("worker-0")
    with _no_descriptors(pid):
        load.wait_for("503", "UNAVAILABLE", more=5, within_s=60)
        none_left = told.wait_for(level="error", event="worker takes no requests")
        unready = wait_until(lambda: _unready_for(service, "no_descriptors"), what="it is not ready, and says why")
        told.wait_until_counted("sluice_ingest_outages", cause="descriptors")
    after_s = load.wait_for("202", "OK", within_s=60)
    told.wait_for(level="warning", event="worker has file descriptors again")
    print(f"recovered after {after_s:.1f} s")

    assert none_left["cause"] == "descriptors"
    # The log is blamed only for what it could not do for want of one: to begin a segment, or to try whether it could.
    assert unready["reasons"] == [*(["log_unwritable"] if unready["log_causes"] else []), "no_descriptors"]
    assert set(unready["log_causes"]) <= {"create", "probe", "seal"}
    # It is told first.
    wait_until(lambda: told.counted("sluice_ingest_outages", cause="descriptors") == 0, what="the gauge is 0 again")
    assert "Too many open files" in none_left["error"]
    log = told.messages(level="error", event="log takes no events")
    assert {message["error"].partition(": ")[2] for message in log} <= {"Too many open files"}
    # A segment that is sealed gives one descriptor back, so it comes and goes; but nothing is told per request.
    assert len(told.messages(level="error")) <= 3 * len(told.messages(level="warning", event="again"))
    assert told.counted("sluice_ingest_faults_total", cause="descriptors") > 0
    assert service.pid("worker-0") == pid


def test_a_lake_writer_without_descriptors_holds_up_no_client_and_heals(loaded: Loaded) -> None:
    service, load = loaded
    wait_until(service.is_ready, within_s=20, what="it is ready")
    # One that starts just now has its modules to open.
    published = service.data_dir / "lake/events"
    wait_until(lambda: list(published.glob("*/*/*.parquet")), within_s=20, what="the lake writer publishes")
    told = Told(service)
    pid = service.pid("lake")
    with _no_descriptors(pid):
        error = told.wait_for(level="error", room="lake")
        load.wait_for("202", "OK", more=10)
        assert service.is_ready()
    told.wait_for(level="warning", event="again")
    wait_until(lambda: service.readyz()["lake"]["waiting_segments"] <= 3, what="the lake has caught up")

    assert "Too many open files" in error["error"]
    assert len(told.messages(level="error")) <= 2
    assert told.counted("sluice_lake_failures_by_cause_total", cause=error["cause"]) > 0
    assert service.pid("lake") == pid


def test_a_supervisor_without_descriptors_ends_nothing_and_heals(loaded: Loaded) -> None:
    service, load = loaded
    told = Told(service)
    supervisor, worker = service.run_file.supervisor.pid, service.pid("worker-0")
    with _no_descriptors(supervisor):
        told.wait_for(level="error", event="the log can't be looked at", cause="EMFILE")
        used = _cpu_s(supervisor)
        # Nobody answers there, and nobody tries as fast as it can to.
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"http://{service.admin}/livez", timeout=1)
        assert _cpu_s(supervisor) - used < 0.7
        load.wait_for("202", "OK", more=10)
    told.wait_for(level="warning", event="the log can be looked at again")
    wait_until(service.is_ready, within_s=20, what="it is ready again")

    assert service.run_file.supervisor.pid == supervisor
    assert service.pid("worker-0") == worker
    assert told.counted("sluice_supervisor_failures_total", cause="log_unlisted") > 0
    assert len(told.messages(level="error")) == 1


def test_an_envoy_without_descriptors_serves_whom_it_has_and_takes_others_when_it_can(loaded: Loaded) -> None:
    service, load = loaded
    told = Told(service)
    began = time.monotonic()
    with _no_descriptors(service.pid("envoy")):
        # Those that are connected.
        load.wait_for("202", "OK", more=10)
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{service.rest}/livez", timeout=1)
    assert service.post(_LATER).status_code == 202
    print(f"lasted {time.monotonic() - began:.1f} s")

    assert told.messages(level="error") == []


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
