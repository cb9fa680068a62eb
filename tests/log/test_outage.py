"""Whatever it is that the log can't do, its operator reads how it is mended."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import structlog

from sluice.log.failing import WriterFailed, failing
from sluice.log.metrics import ACCEPTED, Failure
from sluice.log.outage import LogOutage
from tests.support.log_records import appender
from tests.support.waiting import until


def _told_of(error: BaseException) -> dict[str, Any]:
    with structlog.testing.capture_logs() as messages:
        outage = LogOutage(ACCEPTED)
        outage.failed(error)
        outage.over()
    return dict(messages[0])


# Which hint each error of the system has: tests/test_outage.py.
@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTTY])
@pytest.mark.parametrize("cause", Failure)
def test_every_cause_is_told_with_a_hint_whatever_the_system_says(cause: Failure, number: int) -> None:
    with pytest.raises(WriterFailed) as failed, failing(cause, Path("/data/log/open")):
        raise OSError(number, os.strerror(number))
    told = _told_of(failed.value)

    assert told["cause"] == cause.value
    assert told["hint"]


def test_a_fault_of_the_log_itself_is_told_with_a_hint() -> None:
    assert "report it" in _told_of(ValueError("a fault"))["hint"]


async def test_another_folder_in_place_of_the_log_is_told_with_what_to_put_back(tmp_path: Path) -> None:
    log = appender(tmp_path / "log")
    await log.start()
    with structlog.testing.capture_logs() as messages:
        (tmp_path / "log").rename(tmp_path / "away")
        (tmp_path / "log").mkdir()
        log.look()
        await until(lambda: messages)
    (tmp_path / "log").rmdir()
    (tmp_path / "away").rename(tmp_path / "log")
    await until(lambda: log.healthy)
    await log.close()

    assert all("put back, or mount again" in message["hint"] for message in messages)
