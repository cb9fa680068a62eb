"""A process that hangs is told from one that idles, and from one that is busy."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sluice.supervisor.stillness import STILL_AFTER_S, Stillness, signs_of_life
from tests.support.waiting import wait_until

_IDLES = "import time\nwhile True: time.sleep(0.01)"
_IS_BUSY = "while True: pass"


@pytest.fixture(params=[_IDLES, _IS_BUSY], ids=["idles", "is busy"])
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen([sys.executable, "-c", request.param])
    yield started
    started.kill()
    started.wait(timeout=10)


def test_one_that_idles_or_is_busy_lives(process: subprocess.Popen[bytes]) -> None:
    stillness = Stillness()
    stillness.is_still(process.pid, 0.0)
    before = signs_of_life(process.pid)
    wait_until(lambda: signs_of_life(process.pid) != before, within_s=10, what="a sign of life")

    assert not stillness.is_still(process.pid, STILL_AFTER_S + 1)


def test_one_that_is_stopped_hangs_after_a_while(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    stillness = Stillness()

    assert not stillness.is_still(process.pid, 100.0)
    assert not stillness.is_still(process.pid, 99.0 + STILL_AFTER_S)
    assert stillness.is_still(process.pid, 105.0 + STILL_AFTER_S)


def test_a_successor_is_judged_by_itself(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    stillness = Stillness()
    stillness.is_still(os.getpid(), 0.0)

    assert not stillness.is_still(process.pid, STILL_AFTER_S + 1)
