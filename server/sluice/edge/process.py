"""The embedded Envoy as a child process: started, waited for, drained, stopped.

It gets SIGKILL when the thread that started it ends (die_with_parent.py): an Envoy without a supervisor would keep the
port and answer 503. Nothing is lost with it: only workers acknowledge. When to start it anew is the supervisor's duty.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

from sluice.edge.admin import AdminUnreachable, EnvoyAdmin, WorkersSeen
from sluice.edge.binary import find_envoy
from sluice.edge.die_with_parent import dying_with_this
from sluice.edge.render import render
from sluice.errors import SluiceError
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

    from sluice.edge.config import EdgeConfig

__all__ = ["AddressTaken", "EnvoyFailed", "EnvoyProcess", "envoy_arguments", "must_be_free"]

_messages = messages_of("edge")

_POLL_S = 0.02

# The logger `http` prints the target of each request that is too large, with its query, where the API key may stand;
# `main` warns of every SIGTERM.
_COMPONENT_LEVELS = "http:critical,main:error"

_JSON_MESSAGE = '{"role":"envoy","room":"edge","level":"%l","event":"%j","timestamp":"%Y-%m-%dT%H:%M:%S.%fZ"}'


class AddressTaken(SluiceError):
    """Somebody else listens there already."""


class EnvoyFailed(SluiceError):
    """Envoy ended, or did not come to listen in time."""


class EnvoyProcess:
    """One Envoy, from its start to its end. Not restartable: make a new one.

    Args:
        config: what it is told.
        run_folder: where its configuration is written; exists.
    """

    def __init__(self, config: EdgeConfig, run_folder: Path) -> None:
        self._config = config
        self._config_path = run_folder / "envoy.yaml"
        self._admin = EnvoyAdmin(config.admin_socket)
        self._process: Process | None = None
        self._address: tuple[str, int] | None = None

    async def start(self) -> None:
        """Write the configuration and start the process; call `wait_listening` next.

        Call it in the main thread: Envoy is killed when the thread ends that called.

        Raises:
            EnvoyMissing: there is no Envoy to run.
            AddressTaken: the port is in use.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Envoy would end with this thread: start it in the main thread")
        envoy = find_envoy()
        must_be_free(self._config.listen_host, self._config.listen_port)
        self._config_path.write_text(render(self._config), encoding="utf-8")
        self._process = await asyncio.create_subprocess_exec(
            *dying_with_this(str(envoy), *envoy_arguments(self._config, self._config_path)),
            stdin=asyncio.subprocess.DEVNULL,
            env=os.environ | {"TZ": "UTC"},
            # Ctrl-C on the terminal is for the supervisor alone, which drains in order.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._started.pid

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on; known after `wait_listening`."""
        if self._address is None:
            raise RuntimeError("Envoy's address is known after wait_listening")
        return self._address

    async def wait_listening(self, deadline_s: float) -> None:
        """Return when Envoy listens, and has checked the health of each worker once.

        Raises:
            EnvoyFailed: it ended, or the deadline has passed; then it is still to be stopped.
        """
        try:
            async with asyncio.timeout(deadline_s):
                while not await self._listens():
                    if self._started.returncode is not None:
                        raise EnvoyFailed(
                            f"envoy ended with {self._started.returncode} before it listened",
                            hint=f"its messages above say why; its configuration is {self._config_path}",
                        )
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as exc:
            raise EnvoyFailed(f"envoy does not listen after {deadline_s:g} s") from exc
        self._address = await self._admin.listening_on()

    async def begin_drain(self) -> None:
        """Tell clients to go: health checks fail, each answer closes its connection.

        New connections are still taken for the configured `drain_s`, then the listener closes.

        Raises:
            AdminUnreachable: Envoy does not answer.
        """
        await self._admin.fail_health_check()
        await self._admin.drain_gracefully()

    async def close_listeners(self) -> None:
        """Take no new connection, from a few milliseconds later on; requests in flight go on.

        Raises:
            AdminUnreachable: Envoy does not answer.
        """
        await self._admin.close_listeners()

    async def active_requests(self) -> int:
        """How many requests are not yet answered; calls of gRPC's own health and reflection don't count.

        Raises:
            AdminUnreachable: Envoy does not answer.
        """
        return await self._admin.active_requests()

    async def workers(self) -> WorkersSeen:
        """What it sees of the workers, by their last health checks.

        Raises:
            AdminUnreachable: Envoy does not answer.
        """
        return await self._admin.workers()

    async def stop(self, deadline_s: float) -> int:
        """End it: SIGTERM, and SIGKILL after the deadline. Requests in flight are cut; drain before. Idempotent.

        Returns:
            The exit code; a negative one is the signal that ended it.
        """
        process = self._started
        if process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(deadline_s):
                    return await process.wait()
            except TimeoutError:
                _messages.warning("envoy does not end, and is killed", pid=process.pid, waited_s=deadline_s)
                self._signal(signal.SIGKILL)
        return await process.wait()

    async def wait(self) -> int:
        """Return the exit code when the process has ended, and is reaped."""
        return await self._started.wait()

    @property
    def _started(self) -> Process:
        if self._process is None:
            raise RuntimeError("Envoy is not started")
        return self._process

    async def _listens(self) -> bool:
        try:
            return await self._admin.is_live()
        except AdminUnreachable:
            return False

    def _signal(self, number: signal.Signals) -> None:
        try:
            self._started.send_signal(number)
        except ProcessLookupError:
            return  # it ended by itself meanwhile


def envoy_arguments(config: EdgeConfig, config_path: Path | str) -> list[str]:
    """What the program is started with; envoy/Dockerfile says the same, as a test compares."""
    arguments = [
        *("-c", str(config_path)),
        *("--concurrency", str(config.concurrency)),
        # With hot restart Envoy keeps shared memory of its own, which two services on one machine would fight over.
        "--disable-hot-restart",
        *("--drain-time-s", str(config.drain_s)),
        *("--drain-strategy", "immediate"),
        *("--log-level", "warning"),
        *("--component-log-level", _COMPONENT_LEVELS),
    ]
    return [*arguments, "--log-format", _JSON_MESSAGE] if config.json_messages else arguments


def must_be_free(host: str, port: int) -> None:
    """See whether an address can be listened on, in our own words; Envoy's own check, when it binds, is what counts.

    Raises:
        AddressTaken: it can't.
    """
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise AddressTaken(
                f"can't listen on {host}:{port}: {os.strerror(exc.errno or 0).lower()}",
                hint="choose another address with --listen, or --listen 127.0.0.1:0 for any free port",
            ) from exc
