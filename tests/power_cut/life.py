"""One life of a service on a folder, recorded: its workers, its lake writer, its keys, and what goes wrong."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from sluice import disk
from sluice.keys.file_format import KEYS_FILE_NAME
from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile
from sluice.lake.writer import LakeWriter
from sluice.log.recovery import recover
from sluice.log.segment import LOG_FOLDER
from sluice.supervisor.process_id import ProcessId
from sluice.supervisor.run_file import RunFile, write_run_file
from tests.power_cut.history import Fault, History
from tests.power_cut.ledger import Attempt, KeyTold
from tests.power_cut.restart import lake_writer, publish_all, start
from tests.power_cut.trees import rebuild
from tests.power_cut.turns import Turns
from tests.power_cut.walk import DATA, State
from tests.power_cut.worker import FIRST_TIME_US, Worker

# A life has some hundred operations.
_MOST_TURNS = 100_000


class Life:
    """One life of a service, recorded.

    Args:
        root: an empty folder; the data folder is made in it.
        seed: of the order in which the actors take turns.
        archive: the setting.
        state: what a power cut left; None: nothing was there.
        name: begins the ids of this life's attempts.
    """

    def __init__(
        self, root: Path, *, seed: int, archive: bool = False, state: State | None = None, name: str = "a"
    ) -> None:
        rebuild(state.tree if state else {}, root)
        self.history = History(root, state.tree if state else None)
        self._data_dir = root / DATA
        self._archive = archive
        self._turns = Turns(random.Random(seed).choice)
        self.history.on_turn = self._on_turn
        self._names = (f"{name}{number}" for number in count(1))
        self._working = 0
        self._workers: list[Worker] = []
        self._met: Counter[str] = Counter()

    def run(self, day: Callable[["Life"], None]) -> History:
        """Live it, to its end."""
        try:
            with disk.observed(self.history):
                self.start()
                day(self)
        finally:
            self.end()
        return self.history

    def start(self) -> None:
        """As `sluice up` does, before any worker."""
        start(self._data_dir)
        self._write_run_file()

    def end(self) -> None:
        """Workers that are alive die."""
        for worker in self._workers:
            worker.die()

    def take_turns(self, **actors: Callable[[], None]) -> None:
        """Let actors run to their ends, one operation each in turn."""
        self._working = len(actors)
        self._turns.run({name: self._counted(act) for name, act in actors.items()})

    def attempts(self, number: int) -> Iterator[Attempt]:
        """New ones."""
        return (Attempt(next(self._names)) for _ in range(number))

    def worker(self, node: str, **settings: int) -> Worker:
        """Start a worker."""
        worker = Worker(self._data_dir, node, self.history, **settings)
        self._workers.append(worker)
        return worker

    def fail(self, verb: str, part: str, how: str = "before") -> None:
        """Let an operation go wrong, once."""
        self.history.faults.append(Fault(verb, part, how))  # type: ignore[arg-type]  a test writes them as text

    def meet(self, name: str, *, of: int = 2) -> None:
        """Go on when so many actors have come here."""
        self._met[name] += 1
        for _ in range(_MOST_TURNS):
            if self._met[name] >= of:
                return
            self._turns.give_back()
        raise AssertionError(f"nobody else comes to where {name}")

    def recover(self) -> None:
        """As the supervisor does after a worker's death."""
        recover(self._data_dir / LOG_FOLDER)
        self._write_run_file()

    def lake_writer(self) -> LakeWriter:
        """Start a lake writer."""
        return lake_writer(self._data_dir, archive=self._archive)

    def lake(self) -> None:
        """Publish whatever is sealed, for as long as the others work, and then all that is left."""
        writer = self.lake_writer()
        while self._working > 1:
            writer.run_once(FIRST_TIME_US / 1e6, at_once=True)
            self._turns.give_back()
        publish_all(writer)

    def keys(self) -> None:
        """Make two keys, and revoke one."""
        keys = KeyFile(self._data_dir / KEYS_FILE_NAME)
        made = []
        for kind in (Kind.SERVER, Kind.CLIENT):
            made.append(keys.create(kind=kind)[0].id)
            self.history.note(KeyTold(made[-1]))
        keys.revoke(made[0])
        self.history.note(KeyTold(made[0], revoked=True))

    def _on_turn(self, operation: disk.Operation) -> None:
        # A file that is written in many small steps, and matters to nobody before it is synced, is written in one turn.
        if operation.verb != "write" or "/.staging/" not in operation.path:
            self._turns.give_back()

    def _counted(self, act: Callable[[], None]) -> Callable[[], None]:
        def counted() -> None:
            try:
                act()
            finally:
                self._working -= 1

        return counted

    def _write_run_file(self) -> None:
        own = ProcessId(pid=1, started=1)
        run = RunFile(supervisor=own, children={"lake": own}, listen="", admin="", sockets="")
        write_run_file(self._data_dir, run)
