"""The service as a test has it: where to send to, with which key, and what came of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sluice.cli.admin_client import AdminUnreachable, ask_counts
from sluice.cli.flushing import flush
from sluice.supervisor.first_start import FIRST_KEYS_NAME
from sluice.testing.process import ServerProcess
from sluice.testing.rows import EventsMissing, all_rows, what_arrived, where

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from sluice.cli.admin_client import Counts
    from sluice.supervisor.run_file import RunFile

__all__ = ["RunningServer", "server"]

_LOOK_EVERY_S = 0.05

# A start as fast as can be, and messages that people read.
_DEFAULTS = {"workers": "1", "messages": "text", "min-free": "0B"}
# A server for tests would be none with another value.
_CHOSEN_HERE = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "edge": "embedded"}
_NOT_TO_BE_SAID = frozenset({*_CHOSEN_HERE, "data-dir", "config", "sockets"})


class RunningServer:
    """A running service; made by `server()`.

    Attributes:
        url: the base of REST requests, `http://127.0.0.1:PORT`; `f"{url}/v1"` is what an SDK is given.
        grpc_target: `127.0.0.1:PORT`, for `grpc.insecure_channel`.
        server_key: a server secret, which opens every door.
        client_key: a client key.
        data_dir: the data folder; the lake is below it. It goes with the service.
    """

    def __init__(self, process: ServerProcess, run: RunFile) -> None:
        self.url = f"http://{run.listen}"
        self.grpc_target = run.listen
        self.data_dir = process.data_dir
        lines = (self.data_dir / FIRST_KEYS_NAME).read_text(encoding="utf-8").splitlines()
        self.server_key, self.client_key = (line for line in lines if not line.startswith("#"))
        self._process = process
        self._admin = run.admin
        self._since_us = 0

    def wait_for(
        self, *, event_name: str | None = None, count: int = 1, timeout_s: float = 20.0, **columns: object
    ) -> pa.Table:
        """Wait until so many events are in the lake; return them.

        Args:
            event_name: only events of this name count.
            count: how many there must be at least.
            timeout_s: how long to wait for them.
            columns: further columns and the values that they must have, such as user_id="u1"; None means null.
                docs/lake.md lists all columns.

        Returns:
            All rows that match, `count` or more, in the order of their arrival, with all columns.

        Raises:
            EventsMissing: a TimeoutError; the message tells what did arrive, and what was refused.
            ServerFailed: the service has ended.
            ValueError: there is no such column, or it can have no such value.
        """
        wanted = columns if event_name is None else {"event_name": event_name, **columns}
        deadline = time.monotonic() + timeout_s
        while True:
            self._bring_to_lake(deadline)
            rows = self._in_lake()
            found = where(rows, wanted)
            if found.num_rows >= count:
                return found
            if time.monotonic() >= deadline:
                what = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
                raise EventsMissing(
                    f"{found.num_rows} of {count} events{' with ' if what else ''}{what} within {timeout_s:g} s; "
                    f"{what_arrived(rows, self._counts())}",
                    hint="a client that batches sends late: flush it, or wait longer with timeout_s",
                )
            time.sleep(_LOOK_EVERY_S)

    def rows(self, *, timeout_s: float = 20.0) -> pa.Table:
        """All events that were acknowledged before the call, in the order of their arrival, with all columns.

        Raises:
            EventsMissing: a TimeoutError; they are not in the lake within that time.
            ServerFailed: the service has ended.
        """
        missing = self._bring_to_lake(time.monotonic() + timeout_s)
        if missing:
            raise EventsMissing(f"{missing} segments are not in the lake within {timeout_s:g} s\n{self.messages()}")
        return self._in_lake()

    def forget(self) -> None:
        """From now on `rows` and `wait_for` know only of what arrives later; the lake keeps the rest."""
        self._since_us = time.time_ns() // 1000

    def messages(self) -> str:
        """What the service's processes wrote, or the end of it."""
        return self._process.messages()

    def _bring_to_lake(self, deadline: float) -> int:
        """Bring there what was acknowledged; return how many segments are still missing."""
        self._process.must_run()
        left_s = max(0.0, deadline - time.monotonic())
        return len(flush(self.data_dir, timeout_s=left_s, progress=_tell_nobody, publish=_leave_it).missing)

    def _in_lake(self) -> pa.Table:
        return all_rows(self.data_dir, since_us=self._since_us)

    def _counts(self) -> Counts | None:
        try:
            return ask_counts(self._admin)
        except AdminUnreachable:
            return None


@contextmanager
def server(settings: Mapping[str, str] | None = None, *, start_timeout_s: float = 60.0) -> Iterator[RunningServer]:
    """Run a service of one's own: on free ports of loopback, in a temporary folder, with a server and a client key.

    It is ready on entry. On exit it is stopped and its folder removed. If the body fails, the error carries the
    service's messages as a note.

    Args:
        settings: of `sluice up`, by the names and in the form of docs/settings.md: {"max-body": "1MiB"}.
        start_timeout_s: how long it may take until it is ready.

    Raises:
        ServerFailed: it does not come up; the message holds what it wrote.
        ValueError: a setting that can't be said here.
    """
    said = dict(settings or {})
    refused = sorted(_NOT_TO_BE_SAID & said.keys())
    if refused:
        raise ValueError(f"server() chooses {', '.join(refused)} by itself")
    with TemporaryDirectory(prefix="sluice-testing-", ignore_cleanup_errors=True) as folder:
        process = ServerProcess(Path(folder).resolve(), _DEFAULTS | said | _CHOSEN_HERE)
        try:
            running = RunningServer(process, process.wait_ready(start_timeout_s))
            with _messages_beside_failures(running):
                yield running
        finally:
            process.stop()


@contextmanager
def _messages_beside_failures(running: RunningServer) -> Iterator[None]:
    try:
        yield
    except BaseException as exc:  # pytest's own failures are no Exception
        exc.add_note(f"messages of sluice up:\n{running.messages()}")
        raise


def _tell_nobody(done: int, segments: int) -> None:
    """Nobody watches."""


def _leave_it(until: float) -> None:
    """A service that has ended is told of; its folder goes."""
