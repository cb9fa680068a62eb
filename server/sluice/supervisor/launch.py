"""What each child is started with: its values, the descriptors it inherits, its environment."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from sluice import disk, telemetry
from sluice.anchor import Anchor
from sluice.lake.partition import LAKE_FOLDER
from sluice.log.segment import LOG_FOLDER
from sluice.settings.stages import edge_config, worker_config, writer_config
from sluice.supervisor.beside import beside
from sluice.supervisor.child import PythonChild, PythonProgram
from sluice.supervisor.descriptors import connections_that_fit
from sluice.supervisor.drain import WORKERS_CALLS
from sluice.supervisor.edge_child import EnvoyChild
from sluice.supervisor.run_folder import METRICS_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.settings.model import Settings
    from sluice.settings.units import Address
    from sluice.supervisor.blame import Blame
    from sluice.supervisor.child import Child

__all__ = ["Launcher", "Place"]

_LOOK_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a service runs.

    Attributes:
        data_dir: the data folder, absolute.
        run_folder: Envoy's files.
        sockets: the folder of the workers' sockets.
        admin: where the supervisor answers /livez and /readyz, with the port that it was given.
        lock_fd: holds the data folder's lock; workers and lake writer inherit it.
        lifeline_fd: the read end of a pipe that ends with the supervisor.
    """

    data_dir: Path
    run_folder: Path
    sockets: Path
    admin: Address
    lock_fd: int
    lifeline_fd: int
    _anchors: tuple[Anchor, ...] = field(init=False)

    def __post_init__(self) -> None:
        anchors = (
            Anchor(self.data_dir, place=disk.place_of_open(self.lock_fd)),
            Anchor(self.data_dir / LOG_FOLDER),
            Anchor(self.data_dir / LAKE_FOLDER, may_be_made_again=True),
        )
        object.__setattr__(self, "_anchors", anchors)

    def require_folder(self) -> Path:
        """The data folder, if it is still the one whose lock this service holds, with its log and on its disk its lake.

        Log and lake are those that were there at the start, or else when they were first there.

        Raises:
            OSError: another one stands in its place, or none: it may be another service's by now.
        """
        for anchor in self._anchors:
            anchor.check()
        return self.data_dir

    @property
    def of_folders(self) -> tuple[tuple[str, int, int], ...]:
        """Path, device and inode of the data folder and its log, as `require_folder` found them."""
        return tuple(
            (str(anchor.path), *anchor.place)
            for anchor in self._anchors
            if anchor.place is not None and not anchor.may_be_made_again
        )

    @property
    def metrics(self) -> Path:
        """The folder in which the metrics of all processes meet."""
        return self.run_folder / METRICS_FOLDER

    def worker_socket(self, index: int) -> Path:
        """The socket that one worker listens on."""
        return self.sockets / f"worker-{index}.sock"


class Launcher:
    """Starts the children of one service.

    Each method may raise OSError: no process can be made.

    Args:
        settings: of the service.
        place: where it runs.
        json_messages: processes write lines of JSON.
    """

    def __init__(self, settings: Settings, place: Place, *, json_messages: bool) -> None:
        self._settings = settings
        self._place = place
        self._json_messages = json_messages

    async def worker(self, index: int, *, compiled_check: bool) -> Child:
        """Start one ingest worker.

        Args:
            index: which one it is, from 0.
            compiled_check: whether it may check bodies by what is compiled.
        """
        config = worker_config(
            self._settings,
            index=index,
            socket=str(self._place.worker_socket(index)),
            places=self._place.of_folders,
            lifeline_fd=self._place.lifeline_fd,
            drain_timeout_s=self._settings.drain_timeout * WORKERS_CALLS,
            compiled_check=compiled_check,
        )
        return await self._python("sluice.ingest.worker", msgspec.json.encode(config), role=f"worker-{index}")

    async def lake(self, blame: Blame) -> Child:
        """Start the lake writer, which is told what its predecessors died of."""
        config = writer_config(
            self._settings,
            places=self._place.of_folders,
            lifeline_fd=self._place.lifeline_fd,
            blamed=blame.deaths,
            last=blame.last,
        )
        return await self._python("sluice.lake.writer", msgspec.json.encode(config), role="lake")

    async def envoy(self, *, port: int | None) -> Child:
        """Start Envoy.

        Args:
            port: listen on this one, which a run before has chosen; None: as the settings say.

        Raises:
            SluiceError: there is no Envoy, or the port is taken.
        """
        config = edge_config(
            self._settings,
            admin=self._place.admin,
            admin_socket=str(self._place.run_folder / "envoy.sock"),
            worker_sockets=[str(self._place.worker_socket(index)) for index in range(self._settings.workers)],
            json_messages=self._json_messages,
        )
        config = replace(config, max_connections=connections_that_fit(config.max_connections))
        return await EnvoyChild.start(config, self._place.run_folder, port=port)

    async def _python(self, module: str, argument: bytes, *, role: str) -> Child:
        # Of a disk that hangs nobody knows; what ends is started anew all the same.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_WITHIN_S):
                await beside(self._place.require_folder, name="data folder")
        return await PythonChild.start(
            PythonProgram(
                module=module,
                argument=argument.decode(),
                inherited_fds=(self._place.lock_fd, self._place.lifeline_fd),
                environment={
                    telemetry.MESSAGES_VARIABLE: "json" if self._json_messages else "text",
                    telemetry.ROLE_VARIABLE: role,
                },
            )
        )
