"""The command `sluice`: as a process of its own, or, for speed, within the test's."""

import asyncio
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sluice.cli import app
from sluice.contract import Source
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from sluice.log.ports import Body, Entry

COMMAND = Path(sys.executable).with_name("sluice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str


def run(*arguments: str, stdin: str = "", timeout_s: float = 60, **environ: str) -> Result:
    """Run the real command."""
    done = subprocess.run(
        [COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=_clean_environment() | environ,
        check=False,
    )
    return Result(code=done.returncode, out=done.stdout, err=done.stderr)


class Terminal:
    """What a person sees."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.shown = ""

    def wait_for(self, text: str, *, timeout_s: float = 30) -> None:
        """Read until the text has been shown."""
        deadline = time.monotonic() + timeout_s
        while text not in self.shown:
            readable, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"{text!r} was not shown; only {self.shown!r}"
            self.read()

    def read_to_the_end(self) -> None:
        """Read what is shown until nobody writes any more."""
        while self.read():
            pass

    def read(self) -> bool:
        try:
            data = os.read(self._master, 4096)
        except OSError:  # as Linux tells that the other end is closed
            return False
        self.shown += data.decode()
        return bool(data)


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Terminal]]:
    """Start the real command with its errors on a terminal."""
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=slave,
            env=_clean_environment(),
        )
        os.close(slave)
        try:
            yield process, Terminal(master)
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(master)


class InProcess:
    """Runs the command within this process, with its errors as words and exit codes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["sluice", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = self._capsys.readouterr()
        return Result(code=int(ended.value.code or 0), out=out, err=err)


def write_log(data_dir: Path, *, events: int, sealed: bool = True) -> str:
    """Append a request for each event to one segment, as a worker does; return the segment's id.

    One that is not sealed is as a killed worker leaves it.
    """

    async def append() -> None:
        log = SegmentAppender(data_dir / "log", node="n1", seal_age_s=60, seal_size_bytes=2**20, queue_bytes=2**20)
        await log.start()
        for number in range(events):
            await log.append(_entry(number))
        await log.close()

    before = set((data_dir / "log" / "sealed").glob("*"))
    asyncio.run(append())
    [segment] = set((data_dir / "log" / "sealed").iterdir()) - before
    segment_id = segment.name.partition(".")[0]
    if not sealed:
        segment.rename(data_dir / "log" / "open" / segment_id)
    return segment_id


def _entry(number: int) -> Entry:
    body = b'{"events":[{"user":{"userID":"u%d"},"eventName":"bought","time":1767225600000}]}' % number
    return Entry(
        request_id=new_request_id(),
        source=Source.SDK,
        body=body,
        body_format=Body.JSON,
        event_count=1,
        key_id="key_1",
        project="default",
        client_time_ms=1767225600000,
    )


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
