"""The service under fire: how its processes are hit, and how it comes to serve again."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.supervisor.process_id import ProcessId, is_alive
from sluice.supervisor.run_file import read_run_file
from tests.soak.steps import Point
from tests.support.disk_faults import DiskFaults, Rule
from tests.support.ledger.clients import Door
from tests.support.service import Service
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.ledger.load import Load

__all__ = ["CHILDREN", "WORKERS", "Tally", "Target"]

WORKERS = ("worker-0", "worker-1")
CHILDREN = ("envoy", *WORKERS, "lake")

# Short, so that a segment is always open, one sealed, and one on its way into the lake.
_FLAGS = ("--workers", "2", "--seal-age", "250ms", "--lake-age", "700ms", "--drain-timeout", "60s")
_PORT = 8080

# On a machine that others use too: being slow is no fault.
_COMES_UP_WITHIN_S = 300.0
_SERVES_WITHIN_S = 240.0
_REACHED_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.01


@dataclass(slots=True)
class Tally:
    """What was done to the service.

    Attributes:
        kills: deaths that were brought about, by what was killed how. The whole group counts once.
        points: how often a process died at each point, by the point's name.
        other: stops, errors and exits that were injected.
        longest_s: the longest time until the service served again.
    """

    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0


class Target:
    """One service on one data folder, over many deaths.

    Args:
        folder: what is kept of the run; the data folder is `data` in it.
        run_folders: where the service makes its folders of sockets: short, and nobody else's.
        environment: what the service's processes have beyond this process's.
    """

    def __init__(self, folder: Path, *, run_folders: Path, environment: dict[str, str]) -> None:
        self.faults = DiskFaults(folder)
        self.tally = Tally()
        # Nobody else listens there while this service is down.
        self.address = f"{_own_loopback_address()}:{_PORT}"
        self.service = Service(
            folder / "data",
            *_FLAGS,
            "--listen",
            self.address,
            environment={**self.faults.environment, "TMPDIR": str(run_folders), **environment},
        )
        self.load: Load | None = None
        # Each process of the service has it in its environment.
        self.mark = f"DISK_FAULTS={self.faults.environment['DISK_FAULTS']}"
        # Parts of messages that were provoked, and that say what was to be said.
        self.expected_errors: set[str] = set()
        self._rules = 0

    def door(self, *, server_key: str, client_key: str) -> Door:
        """Where clients send."""
        sealed = self.service.data_dir / "log/sealed"
        return Door(
            address=self.address,
            server_key=server_key,
            client_key=client_key,
            backlog=lambda: sum(1 for _ in sealed.iterdir()),
        )

    # Hitting it.

    def wait_for(self, role: str) -> ProcessId:
        """The process of a role, once there is one."""
        return wait_until(
            lambda: self.process(role),
            within_s=_COMES_UP_WITHIN_S,
            what=f"there is a process of the role {role}",
        )

    def strike(self, *roles: str) -> None:
        """SIGKILL to the processes of some roles, as near together as can be."""
        processes = [self.wait_for(role) for role in roles]
        for process in processes:
            _send(process, signal.SIGKILL)
        self.dies(" and ".join(sorted(kind_of(role) for role in roles)))
        if "supervisor" in roles:
            self.wait_until_it_has_ended()
        else:
            self._wait_until_gone(*processes)

    def strike_if_there(self, role: str, when: str = "") -> None:
        """SIGKILL to the process of a role, if there is one."""
        process = self.process(role)
        if process is not None and _send(process, signal.SIGKILL):
            self.dies(", ".join(filter(None, (kind_of(role), when))))

    def strike_all(self) -> None:
        """SIGKILL to all processes at once, the supervisor first: it starts nobody any more."""
        run = self.service.run_file
        for process in (run.supervisor, *run.children.values()):
            _send(process, signal.SIGKILL)
        self.dies("the whole group")
        self.wait_until_it_has_ended()

    def kill_supervisor(self, what: str) -> None:
        """SIGKILL to the supervisor, whether it is in run.json yet or not."""
        if not self.service.has_ended:
            self.service.kill("supervisor")
            self.dies(what)

    @contextmanager
    def stopped(self, role: str) -> Iterator[ProcessId]:
        """SIGSTOP to the process of a role, and SIGCONT when the block ends, if it is there by then."""
        process = self.wait_for(role)
        self.tally.other[f"{kind_of(role)} stopped"] += 1
        _send(process, signal.SIGSTOP)
        try:
            yield process
        finally:
            _send(process, signal.SIGCONT)

    def dies(self, what: str) -> None:
        """Count a death."""
        self.tally.kills[what] += 1

    def arm(self, *points: Point, chance: random.Random, besides: Sequence[Rule] = ()) -> list[str]:
        """Let a process die at each of these points, once; return the rules' ids. Rules that stood before are gone."""
        rules = [point.rule(self.rule_id(), skip=_some_pieces(point, chance)) for point in points]
        self.faults.set(*rules, *besides)
        return [rule.id for rule in rules]

    def rule_id(self) -> str:
        """An id that no rule had before."""
        self._rules += 1
        return f"r{self._rules:05}"

    def acts_within(self, rule_id: str, seconds: float) -> bool:
        """Whether a rule acts in that time."""
        deadline = time.monotonic() + seconds
        while not (acted := bool(self.faults.fired(rule_id))) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        return acted

    def died_at(self, point: Point, rule_id: str, *, stands: bool = False) -> None:
        """Wait until a process has died at a point, and count it; no rule stands then, unless they are to."""
        acted = self.acts_within(rule_id, _REACHED_WITHIN_S)
        if not stands:
            self.faults.set()
        assert acted, f"not reached within {_REACHED_WITHIN_S:.0f} s: {point.name}"
        self.tally.points[point.name] += 1
        self.dies(f"{point.step.role or 'a command'}, at a step")
        if point.step.role == "supervisor":
            self.wait_until_it_has_ended()

    def wait_until_it_has_ended(self) -> None:
        """Wait for the end of the supervisor, whatever ended it."""
        wait_until(lambda: self.service.has_ended, within_s=_COMES_UP_WITHIN_S, what="the supervisor has ended")

    # Helping it up.

    def start(self) -> None:
        """Start it, until it is ready."""
        self.service.start(within_s=_COMES_UP_WITHIN_S)

    def start_to_die(self) -> None:
        """Start it, while a rule stands that lets its supervisor die."""
        self.service.start(until_ready=False)

    def heal(self) -> None:
        """Return when it serves both protocols again; a supervisor that is dead is started again."""
        assert self.load is not None
        load = self.load
        began = time.monotonic()
        if self.service.has_ended:
            self.start()
        wait_until(
            lambda: not self.service.has_ended and load.is_served_since(began) and self.service.is_ready(),
            within_s=_SERVES_WITHIN_S,
            what="the service serves again",
        )
        self.tally.longest_s = max(self.tally.longest_s, time.monotonic() - began)

    def heal_without_load(self) -> None:
        """Return when every child is there, and Envoy sends to all workers."""
        if self.service.has_ended:
            self.start()
        wait_until(
            lambda: all(self.process(role) for role in CHILDREN),
            within_s=_COMES_UP_WITHIN_S,
            what="all processes are there",
        )
        wait_until(
            lambda: self.service.readyz()["workers_healthy"] == len(WORKERS),
            within_s=_SERVES_WITHIN_S,
            what="all workers get requests",
        )

    def process(self, role: str) -> ProcessId | None:
        """The living process of a role, as run.json tells it."""
        run = read_run_file(self.service.data_dir)
        if run is None or not run.is_alive:
            return None
        process = run.supervisor if role == "supervisor" else run.children.get(role)
        return process if process is not None and is_alive(process) else None

    def end(self) -> None:
        """Leave nothing behind that runs, whatever state it is in."""
        run = read_run_file(self.service.data_dir) if self.service.data_dir.exists() else None
        if run is not None:
            for process in (run.supervisor, *run.children.values()):
                _send(process, signal.SIGKILL)
        if not self.service.has_ended:
            self.service.kill("supervisor")

    @staticmethod
    def _wait_until_gone(*processes: ProcessId) -> None:
        wait_until(
            lambda: not any(is_alive(process) for process in processes),
            within_s=_COMES_UP_WITHIN_S,
            what="what was killed is gone",
        )


def kind_of(role: str) -> str:
    """A role without its number."""
    return role.partition("-")[0]


def _some_pieces(point: Point, chance: random.Random) -> int:
    """How many writes pass first: a file of the lake is written in many pieces, and any of them may be the last."""
    is_of_lake_file = (point.step.stage, point.step.verb) == ("write", "write")
    return chance.choice((0, 0, 1, 3, 10, 30)) if is_of_lake_file else 0


def _send(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to this very process; False if it has ended."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def _own_loopback_address() -> str:
    """One of the 16 million addresses of loopback, by this process's id."""
    pid = os.getpid()
    return f"127.{100 + (pid >> 16) % 100}.{(pid >> 8) % 256}.{pid % 254 + 1}"
