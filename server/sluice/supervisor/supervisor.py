"""The supervisor's loop: looks after the children, tells others how the service is, and lets it go in order.

It handles no event itself; it may be killed at any moment, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sluice import metering, telemetry
from sluice.edge.process import must_be_free
from sluice.settings.units import Address
from sluice.supervisor import metrics
from sluice.supervisor.admin import AdminServer, Snapshot
from sluice.supervisor.beside import beside
from sluice.supervisor.clock import ClockWatch
from sluice.supervisor.drain import AT_ONCE_S, Drain, steps_at_once, steps_in_order
from sluice.supervisor.figures import Refusals, lake_lag, read_counts, read_refusals
from sluice.supervisor.first_start import FIRST_KEYS_NAME, keep_first_keys, make_first_keys, things_to_paste
from sluice.supervisor.health import Health
from sluice.supervisor.lag_watch import LagWatch
from sluice.supervisor.launch import Place
from sluice.supervisor.process_id import process_id
from sluice.supervisor.readiness import reasons_not_ready
from sluice.supervisor.retry import Retry
from sluice.supervisor.run_file import RUN_FILE_NAME, RunFile, remove_run_file, write_run_file
from sluice.supervisor.run_folder import folder_for_sockets, lock_sockets, remove_stale_sockets
from sluice.supervisor.service import Service
from sluice.supervisor.status_line import StatusLine, status_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.settings.model import Settings
    from sluice.supervisor.first_start import FirstKeys
    from sluice.supervisor.readiness import Facts
    from sluice.supervisor.run_folder import RunFolder
    from sluice.unfailing import UnfailingStream

__all__ = ["Supervisor", "serve"]

_TICK_S = 0.1
_TICK_WHILE_STARTING_S = 0.02
_LOOK_EVERY_S = 1.0
# How long a disk that hangs holds up the end, for each of the last things that are done there.
_LAST_WORDS_S = 5.0

_messages = telemetry.messages_of("supervisor")


def serve(
    settings: Settings,
    *,
    data_dir: Path,
    run_folder: RunFolder,
    lock_fd: int,
    messages: UnfailingStream,
    json_messages: bool,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    Args:
        settings: of the service.
        data_dir: the data folder, absolute.
        run_folder: made for this service.
        lock_fd: holds the data folder's lock.
        messages: where this process's messages go.
        json_messages: all processes write lines of JSON.

    Raises:
        SluiceError: it can't start; every child that was started has ended.
    """
    metering.tell_if_apart()
    with ExitStack() as cleanup:
        admin = AdminServer(settings.admin.host, settings.admin.port, metrics=run_folder.metrics)
        cleanup.callback(admin.close)
        lifeline_read, lifeline_write = os.pipe()
        cleanup.callback(os.close, lifeline_read)
        cleanup.callback(os.close, lifeline_write)
        sockets = run_folder.path
        if settings.sockets is not None:
            sockets = folder_for_sockets(settings.sockets)
            cleanup.callback(os.close, lock_sockets(sockets))
            remove_stale_sockets(sockets)
        place = Place(
            data_dir=data_dir,
            run_folder=run_folder.path,
            sockets=sockets,
            admin=Address(host=admin.address[0], port=admin.address[1]),
            lock_fd=lock_fd,
            lifeline_fd=lifeline_read,
        )
        # Not before the ports are known to be free: keys that are made must be told.
        if settings.edge == "embedded":
            must_be_free(settings.listen.host, settings.listen.port)
        first_keys = make_first_keys(data_dir)
        line = StatusLine(messages) if sys.stderr.isatty() and not json_messages else None
        supervisor = Supervisor(settings, place, admin, first_keys=first_keys, line=line, json_messages=json_messages)
        return asyncio.run(supervisor.run())


class Supervisor:
    """The loop around `tick`.

    Args:
        settings: of the service.
        place: where it runs.
        admin: what tells others how it is.
        first_keys: the secrets that were made for a first start, still to be told.
        line: the line on the terminal, if there is one.
        json_messages: processes write lines of JSON.
    """

    def __init__(
        self,
        settings: Settings,
        place: Place,
        admin: AdminServer,
        *,
        first_keys: FirstKeys | None,
        line: StatusLine | None,
        json_messages: bool,
    ) -> None:
        self._settings = settings
        self._place = place
        self._admin = admin
        self._first_keys = first_keys
        self._service = Service(settings, place, json_messages=json_messages)
        self._drain: Drain | None = None
        self._woken = asyncio.Event()
        own_id = process_id(os.getpid())
        assert own_id is not None
        self._own_id = own_id
        self._stops_asked = 0
        self._stops_begun = 0
        self._looked_at = -_LOOK_EVERY_S
        self._lag = LagWatch(lambda: lake_lag(place.data_dir, now=time.time()))
        self._clock = ClockWatch()
        self._refusals = Refusals()
        self._workers_seen: tuple[Health, ...] = ()
        self._announced = False
        self._untold_keys = _written_again(lambda: self._keep_untold_keys, name=FIRST_KEYS_NAME, label="first_keys")
        self._run_file = _written_again(self._prepare_run_file, name=RUN_FILE_NAME, label="run_file")
        self._line = line

    async def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        loop.add_signal_handler(signal.SIGUSR1, self._service.ask_to_flush)
        try:
            if self._first_keys is not None and not sys.stdout.isatty():
                self._untold_keys.ask()
            self._run_file.ask()
            self._write_files(loop.time())
            await self._service.start(loop.time())
            while not await self.tick(loop.time()):
                await self._wait(_TICK_S if self._announced else _TICK_WHILE_STARTING_S)
        finally:
            await self._leave_nobody()
            # Before the handlers of signals go: a flush finds the supervisor by it, and SIGUSR1 would end this process.
            await self._remove_run_file()
            await self._tell_keys_at_last()
            if self._line is not None:
                self._line.clear()
        return await self._outcome()

    async def tick(self, now: float) -> bool:
        """Look after everything once; return whether the service has ended.

        Args:
            now: seconds on the monotonic clock.
        """
        if await self._service.tick(now):
            self._run_file.ask()
        if self._stops_asked > self._stops_begun:
            self._begin_to_stop(now)
        if self._drain is not None:
            await self._drain.tick(now)
        self._tell(now)
        self._write_files(now)
        return self._drain is not None and self._drain.is_over

    def _ask_to_stop(self) -> None:
        self._stops_asked += 1
        self._woken.set()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    def _begin_to_stop(self, now: float) -> None:
        at_once = self._stops_asked > 1
        self._stops_begun = self._stops_asked
        if at_once:
            _messages.warning("stopping at once")
            self._drain = Drain(steps_at_once(self._service), within_s=AT_ONCE_S, now=now)
        else:
            _messages.info("stopping", may_take_s=self._settings.drain_timeout)
            self._drain = Drain(steps_in_order(self._service), within_s=self._settings.drain_timeout, now=now)

    def _tell(self, now: float) -> None:
        looks = now - self._looked_at >= _LOOK_EVERY_S
        facts = self._facts(now, looks=looks)
        is_ready = not reasons_not_ready(facts)
        if looks:
            self._looked_at = now
            self._clock.look()
            self._admin.close_overdue(now)
        self._lag.tick(now)
        lag = self._lag.lag
        self._admin.snapshot = Snapshot(facts=facts, lag=lag, looked_at=self._lag.looked_at, turned_at=now)
        if is_ready and not self._announced:
            self._announced = True
            self._service.has_been_ready()
            self._announce()
        if looks and self._announced:
            self._count(is_ready)
            if self._line is not None:
                with suppress(OSError):
                    self._line.draw(status_text(read_counts(self._place.metrics), lag, facts))

    def _facts(self, now: float, *, looks: bool) -> Facts:
        facts = self._service.facts(now, draining=self._drain is not None)
        # Only then: to read all metrics takes some milliseconds.
        if looks or facts.workers != self._workers_seen:
            self._workers_seen = facts.workers
            with suppress(OSError):
                ails = Health.NOT_SERVING in facts.workers
                self._refusals = read_refusals(self._place.metrics) if ails else Refusals()
        return replace(
            facts, log_causes=self._refusals.log_causes, without_descriptors=self._refusals.without_descriptors
        )

    def _count(self, is_ready: bool) -> None:
        metrics.READY.set(is_ready)
        metrics.WAITING_SECONDS.set(self._lag.lag.oldest_waiting_s)
        metrics.WAITING_BYTES.set(self._lag.lag.waiting_bytes)
        metrics.REJECTS_WAITING_BYTES.set(self._lag.lag.rejects_waiting_bytes)
        metrics.LIMIT_BYTES.set(self._settings.log_limit)

    def _announce(self) -> None:
        listen = self._listen()
        _messages.info("ready", listen=str(listen or "an external Envoy"), admin=str(self._place.admin))
        if sys.stdout.isatty():
            beside(partial(self._greet, listen), name="greeting")

    def _greet(self, listen: Address | None) -> None:
        if self._first_keys is not None and listen is not None:
            _print(things_to_paste(self._first_keys, listen=listen, data_dir=self._settings.data_dir))
            self._first_keys = None
        _print(f"Serving on http://{listen}; Ctrl-C stops it.\n" if listen else "Serving.\n")

    def _write_files(self, now: float) -> None:
        self._untold_keys.tick(now)
        self._run_file.tick(now)

    def _keep_untold_keys(self) -> None:
        """Where there is no terminal, or it stops before it could tell them: nobody could find them out later."""
        if self._first_keys is None:
            return
        path = keep_first_keys(self._place.require_folder(), self._first_keys)
        self._first_keys = None
        _print(f"{path}\n")

    async def _tell_keys_at_last(self) -> None:
        if self._first_keys is None:
            return
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._untold_keys.rest()
                await beside(self._keep_untold_keys, name=FIRST_KEYS_NAME)
        except OSError as exc:
            _messages.error(
                "the first keys are in force, and could not be told",
                error=_text_of(exc),
                hint="revoke them, and make others: sluice keys list, keys revoke, keys create",
            )

    def _listen(self) -> Address | None:
        chosen = self._service.listen
        return None if chosen is None else Address(host=chosen[0], port=chosen[1])

    def _prepare_run_file(self) -> Callable[[], None]:
        run = RunFile(
            supervisor=self._own_id,
            children=self._service.processes,
            listen=str(self._listen() or ""),
            admin=str(self._place.admin),
            sockets=str(self._place.sockets),
            edge=self._settings.edge,
        )
        return lambda: write_run_file(self._place.require_folder(), run)

    async def _remove_run_file(self) -> None:
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                # Else it might be written once more.
                await self._run_file.rest()
                await beside(lambda: remove_run_file(self._place.require_folder()), name=RUN_FILE_NAME)
        except OSError as exc:
            _messages.warning("run.json stays; the next start takes no notice of it", error=_text_of(exc))

    async def _leave_nobody(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + AT_ONCE_S
        while self._service.processes and loop.time() < deadline:
            self._service.kill_all()
            await self._service.tick(loop.time())
            await asyncio.sleep(_TICK_WHILE_STARTING_S)

    async def _outcome(self) -> int:
        try:
            lag = await self._lag.look_at_last(within_s=_LAST_WORDS_S)
        except OSError as exc:
            _messages.warning("stopped; what waits for the next start can't be looked at", error=_text_of(exc))
            return 1
        segments = lag.waiting_segments + lag.rejects_waiting_segments
        if segments:
            _messages.warning(
                "stopped; the next start takes up what waits",
                segments=segments,
                bytes=lag.waiting_bytes + lag.rejects_waiting_bytes,
            )
            return 1
        _messages.info("stopped")
        return 0


def _written_again(write: Callable[[], Callable[[], None]], *, name: str, label: str) -> Retry[None]:
    return Retry(
        write,
        label=label,
        fails=f"{name} can't be written, and is tried again",
        is_over=f"{name} can be written again",
    )


def _print(text: str) -> None:
    """Write to standard output, and wait as long as nobody takes it: what stands there is not to be lost.

    Not by sys.stdout: Python could not end while one of its threads waits there.
    """
    data = text.encode(errors="replace")
    with suppress(OSError):
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]


def _text_of(error: OSError) -> str:
    return str(error) or f"no answer for {_LAST_WORDS_S:g} s"
