"""One ingest worker: a process with its own socket and its own segments of the log.

    python -m sluice.ingest.worker JSON        JSON: the fields of WorkerConfig

SIGTERM, SIGINT, or the end of the lifeline (the supervisor died): listen no more, finish what is in flight, seal, exit
0. A second signal: answer at once what still waits, seal, exit 0; what was acknowledged is in the log. SIGUSR1: seal
the open segments now. 1: it can't start, or the log is broken; 2: wrong arguments.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from sluice import metering, telemetry
from sluice.anchor import require_folders
from sluice.errors import SluiceError
from sluice.ingest.compiled_check import COMPILED
from sluice.ingest.config import WorkerConfig
from sluice.ingest.rejects import HourBudget, Rejects
from sluice.ingest.serve import Stop, serve
from sluice.keys.file_format import KEYS_FILE_NAME
from sluice.keys.store import Keys
from sluice.log.appender import SegmentAppender
from sluice.log.ids import new_request_id
from sluice.log.refused import KEEPS_FREE_TIMES, RefusedAppender, refused_log
from sluice.log.segment import LOG_FOLDER
from sluice.outage import hint_of

__all__ = ["main", "run"]

_messages = telemetry.messages_of("ingest")

# Of bodies that it could check: some 100,000 events. It takes 2 s of CPU and 120 MiB, and saves half a second for each
# million of events: whoever takes so many takes more.
_BYTES_WORTH_COMPILING = 32 * 1024 * 1024


async def run(config: WorkerConfig) -> None:
    """Serve until a signal or the end of the lifeline.

    Raises:
        SluiceError: the keys can't be read.
        OSError: the log can't be opened, or the data folder is another one than the supervisor's.
    """
    data_dir = Path(config.data_dir)
    loop = asyncio.get_running_loop()
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.ask, signal.Signals(number).name)
    if config.lifeline_fd is not None:
        _hold_lifeline(loop, config.lifeline_fd, stop)
    keys = Keys(data_dir / KEYS_FILE_NAME)
    log = SegmentAppender(
        data_dir / LOG_FOLDER,
        node=config.node,
        index=config.index,
        seal_age_s=config.seal_age_s,
        seal_size_bytes=config.seal_size_bytes,
        queue_bytes=config.queue_bytes,
        min_free_bytes=config.min_free_bytes,
        max_log_bytes=config.max_log_bytes,
    )
    rejects = _rejects(config, data_dir)
    # All of them hold to the folders that had their names when they were made: those may be another service's.
    require_folders(config.places)
    await log.start()
    sealing = _SealOnRequest(log, rejects)
    loop.add_signal_handler(signal.SIGUSR1, sealing.ask)
    if config.compiled_check:
        # Of what is garbage just then, as little as there is, the cycles stay.
        COMPILED.preparation.after(_BYTES_WORTH_COMPILING, then=gc.freeze)
    try:
        await serve(config, keys=keys, log=log, rejects=rejects, new_request_id=new_request_id, stop=stop)
    finally:
        COMPILED.preparation.close()


def _rejects(config: WorkerConfig, data_dir: Path) -> Rejects:
    log = RefusedAppender(
        refused_log(data_dir),
        node=config.node,
        index=config.index,
        seal_age_s=config.seal_age_s,
        seal_size_bytes=config.seal_size_bytes,
        # What is wrong with them comes on top of what they are.
        queue_bytes=2 * config.rejects_waiting_bytes,
        min_free_bytes=KEEPS_FREE_TIMES * config.min_free_bytes,
        max_log_bytes=config.max_rejects_log_bytes,
    )
    budget = HourBudget(config.rejects_per_hour_bytes)
    return Rejects(log, budget=budget, waiting_bytes=config.rejects_waiting_bytes)


class _SealOnRequest:
    """Seals when asked; keeps the tasks that do it, as the loop alone doesn't."""

    def __init__(self, log: SegmentAppender, rejects: Rejects) -> None:
        self._log = log
        self._rejects = rejects
        self._tasks: set[asyncio.Task[object]] = set()

    def ask(self) -> None:
        for sealing in (self._log.seal(), self._rejects.seal()):
            task = asyncio.ensure_future(sealing)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _hold_lifeline(loop: asyncio.AbstractEventLoop, fd: int, stop: Stop) -> None:
    def ended() -> None:
        if not os.read(fd, 1):
            loop.remove_reader(fd)
            stop.ask("the supervisor is gone")

    loop.add_reader(fd, ended)


def main() -> int:
    """Run the process; return its exit code."""
    if len(sys.argv) != 2:
        sys.stderr.write("error: one argument is needed, a JSON object\n")
        return 2
    try:
        config = msgspec.json.decode(sys.argv[1], type=WorkerConfig)
    except msgspec.MsgspecError as exc:
        sys.stderr.write(f"error: the argument is no worker's configuration: {exc}\n")
        return 2
    telemetry.configure(role=f"worker-{config.index}")
    metering.tell_if_apart()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(config))
    except (SluiceError, OSError) as exc:
        _messages.error("worker failed", error=str(exc), hint=hint_of(exc))
        return 1
    return 0


if __name__ == "__main__":
    # What was imported stays: no need to look through it for garbage again and again.
    gc.freeze()
    sys.exit(main())
