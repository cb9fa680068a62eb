"""One `sluice up` as a child process, from its start until nothing of it runs any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from sluice.cli.admin_client import AdminUnreachable, ask_readiness
from sluice.edge.die_with_parent import dying_with_this
from sluice.errors import SluiceError
from sluice.settings.places import VARIABLE_PREFIX
from sluice.supervisor.run_file import read_run_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sluice.supervisor.run_file import RunFile

__all__ = ["ServerFailed", "ServerProcess"]

_COMMAND = "from sluice.cli.app import main; main()"
_LOOK_EVERY_S = 0.02
# Stopping at once takes 5 s at most; what then still runs is killed.
_STOPS_WITHIN_S = 10.0
# Tests read their own failure, not a day's messages.
_SHOWN_CHARACTERS = 4000


class ServerFailed(SluiceError):
    """The service did not come up, or has ended by itself."""


class ServerProcess:
    """Started when it is made; not yet ready.

    It ends when this process ends, however that happens, if it was started in the main thread.

    Args:
        folder: of this service alone: its data folder and its messages are made there. It runs in it, so that no
            sluice.toml of where the tests run is read.
        settings: of `sluice up`, by their names in sluice.toml.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.data_dir = folder / "data"
        self._messages = folder / "messages"
        flags = [part for name, said in settings.items() for part in (f"--{name}", said)]
        command = [sys.executable, "-P", "-c", _COMMAND, "up", "--data-dir", str(self.data_dir), *flags]
        if threading.current_thread() is threading.main_thread():
            command = dying_with_this(*command)
        with self._messages.open("wb") as messages:
            self._process = subprocess.Popen(  # noqa: S603  this environment's own Python
                command,
                cwd=folder,
                env={name: said for name, said in os.environ.items() if not _is_kept_back(name)},
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                # Ctrl-C on the terminal is for the tests, which stop it.
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float) -> RunFile:
        """Return what run.json says when the service takes requests.

        Raises:
            ServerFailed: it has ended, or is not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self.must_run()
            run = read_run_file(self.data_dir)
            if run is not None and run.supervisor.pid == self._process.pid and run.listen and _is_ready(run.admin):
                return run
            if time.monotonic() >= deadline:
                raise ServerFailed(f"sluice up is not ready after {timeout_s:g} s\n{self.messages()}")
            time.sleep(_LOOK_EVERY_S)

    def must_run(self) -> None:
        """Do nothing while the service runs.

        Raises:
            ServerFailed: it has ended.
        """
        code = self._process.poll()
        if code is not None:
            raise ServerFailed(f"sluice up has ended with {code}\n{self.messages()}")

    def messages(self) -> str:
        """What its processes wrote, or the end of it."""
        written = self._messages.read_text(encoding="utf-8", errors="replace")
        return written if len(written) <= _SHOWN_CHARACTERS else f"…{written[-_SHOWN_CHARACTERS:]}"

    def stop(self) -> None:
        """End it at once: its folder goes too, so nothing has to be sealed or published. Idempotent."""
        deadline = time.monotonic() + _STOPS_WITHIN_S
        # The second SIGTERM tells it to hurry; one that comes before it has handled the first counts as the same.
        while self._process.poll() is None and time.monotonic() < deadline:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _is_kept_back(variable: str) -> bool:
    """Whoever runs the tests may have a service of their own, and may hold their own Python to be stricter."""
    return variable.startswith(VARIABLE_PREFIX) or variable == "PYTHONWARNINGS"


def _is_ready(admin: str) -> bool:
    try:
        return ask_readiness(admin).ready
    except AdminUnreachable:
        return False
