"""Faults in the real processes of a service, where a test wants them: what injected/disk_faults.py acts by.

faults = DiskFaults(tmp_path)
with Service(data, environment=faults.environment) as service:
    with faults.acting(Rule("full", role="worker", verb="write", action="error", errno=ENOSPC)):
        ...
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

_INJECTED = Path(__file__).parent / "injected"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to fail, and how.

    Attributes:
        id: tells rules apart; counts and marks go by it, so each rule of a service needs its own.
        role: the beginning of `worker-0` …, `lake`, `supervisor`, `command`; "" for all.
        verb: of a `disk.Operation`; or `read` when a file is opened to be read, `list` when a folder is listed, `stat`
            when a file's facts are asked for, `start` when a process is started; "" for all.
        path: a pattern (fnmatch) of the path, or of where a rename leads; of a process that is started, of its command.
        phase: before the operation is done, or after.
        skip: how many that are meant pass first, in each process.
        times: how often it acts, in all processes together; None: each time, as long as the rule stands.
        action: `kill` and `stop` are SIGKILL and SIGSTOP to the process itself, `tear` is SIGKILL in the middle of a
            write, `exit` ends it with 70, `error` is an OSError, `hang` waits until the rule is gone (two minutes at
            most).
        errno: of the error.
        behind: the verb of the operation that the process began before this one; "" for any.
    """

    id: str
    role: str = ""
    verb: str = ""
    path: str = "*"
    phase: Literal["before", "after"] = "before"
    skip: int = 0
    times: int | None = None
    action: Literal["kill", "stop", "tear", "exit", "error", "hang"] = "kill"
    errno: int = 0
    behind: str = ""


class DiskFaults:
    """The rules of one service.

    Args:
        folder: where the rules are kept; not the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._rules = folder / "disk-faults"
        self.environment = {"PYTHONPATH": str(_INJECTED), "DISK_FAULTS": str(self._rules)}

    def set(self, *rules: Rule) -> None:
        """Let these stand, and no others, from now on: also for a process that is at work."""
        staged = self._rules.with_suffix(".new")
        staged.write_text(json.dumps([asdict(rule) for rule in rules]))
        staged.replace(self._rules)

    @contextmanager
    def acting(self, *rules: Rule) -> Iterator[None]:
        """Let these stand until the block ends."""
        self.set(*rules)
        try:
            yield
        finally:
            self.set()

    def fired(self, rule_id: str = "") -> list[dict[str, Any]]:
        """Each time that a rule acted: id, pid, role, verb, path, ns (CLOCK_MONOTONIC)."""
        try:
            lines = self._rules.with_name(f"{self._rules.name}.fired").read_text().splitlines()
        except FileNotFoundError:
            return []
        found = [json.loads(line) for line in lines]
        return [line for line in found if rule_id in ("", line["id"])]


class ClockShift:
    """The wall clock of a service's processes, set by a test.

    Args:
        folder: where the shift is kept; not the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clock-shift"
        self.environment = {"PYTHONPATH": str(_INJECTED), "CLOCK_SHIFT": str(self._path)}

    def set(self, seconds: float) -> None:
        """Let the clock be that far from the true one, from now on."""
        staged = self._path.with_suffix(".new")
        staged.write_text(str(seconds))
        staged.replace(self._path)
