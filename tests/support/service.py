"""A real `sluice up` on free ports, as a context manager: what all tests go through that cross the doors."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from sluice.keys.file_format import KEYS_FILE_NAME
from sluice.keys.key import hash_of
from sluice.keys.key_file import read_keys
from sluice.lake import query
from sluice.supervisor.first_start import FIRST_KEYS_NAME
from sluice.supervisor.run_file import RunFile, read_run_file
from tests.support.waiting import wait_until

SLUICE = str(Path(sys.executable).with_name("sluice"))

_START_WITHIN_S = 40.0
_STOP_WITHIN_S = 60.0


class Service:
    """One service: started on entry, drained on exit. It can be stopped, killed and started again in between.

    Args:
        data_dir: its data folder; made if it is missing.
        flags: further ones for `sluice up`.
        environment: beyond this process's, of which no SLUICE_ variable is passed on.
        terminal: where it writes; who gives one keeps in `messages.jsonl`, beside the data folder, what comes there.
    """

    max_body = 10 * 1024 * 1024

    def __init__(
        self, data_dir: Path, *flags: str, environment: dict[str, str] | None = None, terminal: int | None = None
    ) -> None:
        self.data_dir = data_dir
        self._flags = flags
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        self._environment |= environment or {}
        self._terminal = terminal
        self._process: subprocess.Popen[bytes] | None = None
        self._messages = data_dir.parent / "messages.jsonl"
        self._imported: set[str] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        try:
            code = self.stop()
        except BaseException:
            self.kill("supervisor")
            raise
        if error is None:
            assert code == 0, f"sluice up ended with {code}\n{self.messages()[-4000:]}"

    def start(self, *, until_ready: bool = True, within_s: float = _START_WITHIN_S) -> None:
        """Start it; return when it is ready."""
        assert self._process is None
        command = [SLUICE, "up", "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        with self._messages.open("ab") as messages:
            output = messages if self._terminal is None else self._terminal
            self._process = subprocess.Popen(
                [*command, *self._flags], env=self._environment, stdout=output, stderr=output
            )
        if until_ready:
            wait_until(self._is_ready_or_dead, within_s=within_s, what="the service is ready")

    @property
    def has_ended(self) -> bool:
        """Whether it was stopped, or its supervisor has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        return self._process is None

    def begin_to_stop(self) -> None:
        """Send SIGTERM."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, *, within_s: float = _STOP_WITHIN_S) -> int:
        """Wait until the supervisor has ended; return its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout=within_s)
        self._process = None
        return code

    def stop(self) -> int:
        """Drain it; return its exit code."""
        self.begin_to_stop()
        return self.wait()

    def kill(self, role: str) -> int:
        """Send SIGKILL to a child, or to the supervisor, which is waited for; return its process id."""
        if role == "supervisor":
            assert self._process is not None
            pid = self._process.pid
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None
        else:
            pid = self.pid(role)
            os.kill(pid, signal.SIGKILL)
        return pid

    def pid(self, role: str) -> int:
        """The process id of a child: `envoy`, `worker-0` …, `lake`, which comes up a moment after the rest."""
        return wait_until(lambda: self.run_file.children.get(role), within_s=20, what=f"{role} is there").pid

    @property
    def run_file(self) -> RunFile:
        """What run.json says."""
        found = read_run_file(self.data_dir)
        assert found is not None, "there is no run.json"
        return found

    @property
    def rest(self) -> str:
        """Where REST requests go."""
        return f"http://{self.grpc}"

    @property
    def grpc(self) -> str:
        """Where gRPC calls go."""
        return self.run_file.listen

    @property
    def admin(self) -> str:
        """Where /metrics, /livez and /readyz answer."""
        return self.run_file.admin

    @property
    def server_key(self) -> str:
        """The server secret of the first start."""
        return self._first_key("secret-")

    @property
    def client_key(self) -> str:
        """The client key of the first start."""
        return self._first_key("client-")

    def readyz(self) -> dict[str, Any]:
        """What /readyz says, ready or not."""
        found: dict[str, Any] = httpx.get(f"http://{self.admin}/readyz", timeout=5).json()
        return found

    def is_ready(self) -> bool:
        """Whether /readyz on the admin port says so."""
        try:
            return bool(self.readyz()["ready"])
        except httpx.HTTPError:
            return False

    def wait_until_all_workers_get_requests(self, workers: int) -> None:
        """Return when Envoy holds this many workers healthy."""
        wait_until(
            lambda: self.readyz()["workers_healthy"] == workers,
            within_s=20,
            what=f"Envoy has {workers} healthy workers",
        )

    def post(self, *names: str, key: str | None = None) -> httpx.Response:
        """Post one request with an event for each name."""
        events = [{"user": {"userID": "u1"}, "eventName": name, "time": 1767225600000} for name in names]
        headers = {"statsig-api-key": key or self.server_key, "statsig-client-time": str(int(time.time() * 1000))}
        return httpx.post(f"{self.rest}/v1/log_event", json={"events": events}, headers=headers, timeout=30)

    def command(self, *arguments: str, given: str = "") -> str:
        """Run another `sluice` command on the data folder; return what it printed."""
        done = self.try_command(*arguments, given=given)
        assert done.returncode == 0, f"sluice {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run another `sluice` command on the data folder, whatever its exit code is."""
        command = [SLUICE, *arguments, "--data-dir", str(self.data_dir)]
        return subprocess.run(
            command, env=self._environment, input=given, capture_output=True, text=True, timeout=90, check=False
        )

    def flush(self) -> None:
        """Return when all that was acknowledged is in the lake."""
        self.command("flush")

    def status(self) -> dict[str, Any]:
        """What `sluice status --json` says, ready or not."""
        found: dict[str, Any] = json.loads(self.try_command("status", "--json").stdout)
        return found

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the lake."""
        with query.connect(self.data_dir) as connection:
            return connection.execute(sql).fetchall()

    def dicts(self, sql: str) -> list[dict[str, Any]]:
        """Ask the lake; each row by its columns' names."""
        # Through Arrow: DuckDB itself makes Python's times only with pytz.
        with query.connect(self.data_dir) as connection:
            found = connection.sql(sql).to_arrow_table()
        rows: list[dict[str, Any]] = found.to_pylist(maps_as_pydicts="strict")
        return rows

    def import_keys(self, *secrets: str) -> None:
        """Take in keys; return when every worker knows them."""
        new = [secret for secret in secrets if secret not in self._imported]
        if not new:
            return
        self.command("keys", "import", "-", given="".join(f"{secret}\n" for secret in new))
        self._imported.update(new)
        # Workers take turns: this many answers are from all of them.
        wait_until(
            lambda: all(self.post(key=secret).status_code == 202 for secret in new for _ in range(6)),
            within_s=10,
            what="imported keys are in force",
        )

    def key_id(self, secret: str) -> str:
        """The id of a key."""
        keys = read_keys(self.data_dir / KEYS_FILE_NAME)
        return next(key.id for key in keys if key.sha256 == hash_of(secret))

    def messages(self) -> str:
        """All that its processes wrote, since the first start."""
        return self._messages.read_text(errors="replace")

    def _first_key(self, prefix: str) -> str:
        lines = (self.data_dir / FIRST_KEYS_NAME).read_text().splitlines()
        return next(line for line in lines if line.startswith(prefix))

    def _is_ready_or_dead(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            self._process = None
            raise AssertionError(f"sluice up ended with {code} before it was ready\n{self.messages()[-4000:]}")
        run = read_run_file(self.data_dir)
        if run is None or run.supervisor.pid != self._process.pid:
            return False
        return (bool(run.listen) or "external" in self._flags) and self.is_ready()
