"""The disk refuses the log, in the real processes of a service: 503 while it lasts, and nothing is lost.

The errors are raised by the processes' own disk.py where a rule says (tests/support/disk_faults.py); a disk that is
really full: test_faults_full_disk.py.
"""

import errno
import os
import resource
from collections.abc import Iterator

import pytest

from tests.support.disk_faults import DiskFaults, Rule
from tests.support.ledger.load import Load, assert_lake_has_what_was_told, load_on
from tests.support.service import Service
from tests.support.told import Told
from tests.support.waiting import wait_until

_WORKERS = 2
_FLAGS = ("--workers", str(_WORKERS), "--seal-age", "200ms", "--lake-age", "500ms", "--min-free", "0B")

_SEGMENT = "*/log/open/2*"
_PROBE = "*/log/open/.probe-*"

Faulty = tuple[Service, DiskFaults, Load]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """One service for all faults, one after the other: that none needs a restart is a part of the claim.

    At the end its lake has what the ledger of all of them says.
    """
    folder = tmp_path_factory.mktemp("faults-log")
    faults = DiskFaults(folder)
    with Service(folder / "data", *_FLAGS, environment=faults.environment) as service:
        service.wait_until_all_workers_get_requests(_WORKERS)
        with load_on(service) as load:
            yield service, faults, load
        assert_lake_has_what_was_told(service, load.ledger)


def _rule(name: str, verb: str, path: str, error: int, *, times: int | None = None) -> Rule:
    return Rule(name, role="worker", verb=verb, path=path, action="error", errno=error, times=times)


def _rules(verb: str, path: str, error: int) -> list[Rule]:
    """The operation fails each time, and so does the probe write, without which a log would be well in between."""
    name = f"{verb} {errno.errorcode[error]}"
    return [_rule(name, verb, path, error), _rule(f"{name} probe", "create", _PROBE, error)]


# What fails; and what the operator is told of: the cause in the message, which is the metric's label, too.
_FAULTS = [
    pytest.param(_rules("create", _SEGMENT, errno.ENOSPC), ["create", "probe"], id="create ENOSPC"),
    pytest.param(_rules("write", _SEGMENT, errno.EIO), ["write", "probe"], id="write EIO"),
    pytest.param(_rules("write", _SEGMENT, errno.EDQUOT), ["write", "probe"], id="write EDQUOT"),
    pytest.param(_rules("datasync", _SEGMENT, errno.EIO), ["sync", "probe"], id="fdatasync EIO"),
    pytest.param(_rules("sync", _SEGMENT, errno.ENOSPC), ["seal"], id="fsync at the seal ENOSPC"),
    pytest.param(_rules("rename", "*/log/sealed/*", errno.EROFS), ["seal"], id="rename at the seal EROFS"),
    pytest.param(_rules("sync_folder", "*/log/open", errno.EIO), ["create", "seal"], id="fsync of open/ EIO"),
    pytest.param(_rules("sync_folder", "*/log/sealed", errno.EIO), ["seal"], id="fsync of sealed/ EIO"),
    pytest.param(
        [*_rules("datasync", _SEGMENT, errno.EIO), _rule("cut", "truncate", _SEGMENT, errno.EIO)],
        ["cut"],
        id="fdatasync EIO, then the cut",
    ),
    pytest.param(
        [*_rules("write", _SEGMENT, errno.EIO)[:1], _rule("unlink", "unlink", _PROBE, errno.EIO)],
        ["write", "probe"],
        id="write EIO, then the probe's unlink",
    ),
    pytest.param([_rule("all", "", "*/log/*", errno.EROFS)], ["seal", "cut", "create"], id="everything EROFS"),
]


@pytest.mark.parametrize(("rules", "causes"), _FAULTS)
def test_while_the_disk_refuses_it_is_503_and_told_once_and_it_heals_by_itself(
    faulty: Faulty, rules: list[Rule], causes: list[str]
) -> None:
    service, faults, load = faulty
    told = Told(service)
    with faults.acting(*rules):
        load.wait_for("503", "UNAVAILABLE", more=10)
        wait_until(lambda: service.readyz()["reasons"] == ["log_unwritable"], what="it is not ready, and says why")
    after_s = load.wait_for("202", "OK")
    wait_until(lambda: _over(told) >= _WORKERS, what="each worker tells that its log is well")
    wait_until(service.is_ready, what="it is ready again")
    print(f"recovered after {after_s:.1f} s")

    errors = told.messages(level="error", event="log takes no events")
    assert {error["cause"] for error in errors} & set(causes)
    assert all(error["error"].endswith(os.strerror(rules[0].errno)) for error in errors)
    # Once per worker, outage and cause, not once per request; a worker may come to be well in between.
    assert len(errors) <= 3 * _over(told)
    for error in errors:
        assert told.counted("sluice_log_failures_total", cause=error["cause"]) > 0


def test_writes_that_the_system_cuts_in_the_middle_leave_no_request_in_part(faulty: Faulty) -> None:
    service, _, others = faulty
    told = Told(service)
    workers = [service.pid(f"worker-{index}") for index in range(_WORKERS)]
    # Larger than what they write their messages to.
    with load_on(service, text_bytes=60_000, beside=others) as load:
        before = [resource.prlimit(pid, resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY)) for pid in workers]
        load.wait_for("503", "UNAVAILABLE", within_s=60)
        for pid, limits in zip(workers, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        load.wait_for("202", "OK", more=5)
    others.pause()
    assert_lake_has_what_was_told(service, load.ledger)
    others.resume()

    error = told.messages(level="error", event="log takes no events")[0]
    assert (error["cause"], error["error"]) == ("write", "write failed: File too large")


def _over(told: Told) -> int:
    return len(told.messages(event="log takes events again"))
