"""Every named step of what a service does to its disk, as places at which a process of it can be killed.

A step is a kind of operation of `disk.py` in one of the processes. A point is a step with its phase: just before it is
done, just after it, or in the middle of a write. Some steps come by themselves under load; others need a circumstance,
such as a dead worker, that has to be brought about first.

tests/soak/test_steps.py compares the table with what a real service does.
"""

import fnmatch
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from tests.support.disk_faults import Rule

__all__ = ["POINTS", "STEPS", "Needs", "Point", "Step"]

Phase = Literal["before", "after", "torn"]

_AROUND: tuple[Phase, ...] = ("before", "after")
_WRITE: tuple[Phase, ...] = ("before", "torn", "after")


class Needs(Enum):
    """What has to be brought about before a step comes."""

    FIRST_START = auto()
    FIRST_FILE = auto()
    LOAD = auto()
    DEAD_WORKER = auto()
    DEAD_LAKE = auto()
    FAILED_WRITE = auto()
    TORN_TAIL = auto()
    EMPTY_SEGMENT = auto()
    LEFT_IN_STAGING = auto()
    NOT_LET_GO = auto()
    SET_ASIDE = auto()
    NEW_KEY = auto()
    DRAIN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A kind of operation that a process does.

    Attributes:
        stage: what it belongs to.
        name: tells it from the stage's others.
        role: whose it is: `worker`, `lake`, `supervisor` or `command`.
        verb: of a `disk.Operation`.
        path: a pattern of its path, or of where a rename leads.
        behind: the verb of the operation before it; "" for any.
        skip: how many like it come first.
        needs: what brings it about.
        phases: where it can be killed. Only before it where it mostly fails: an unlink of what isn't there.
    """

    stage: str
    name: str
    role: str
    verb: str
    path: str
    behind: str = ""
    skip: int = 0
    needs: Needs = Needs.LOAD
    phases: tuple[Phase, ...] = _AROUND

    def covers(self, role: str, verb: str, paths: tuple[str, str]) -> bool:
        """Whether an operation of a process is of this kind, wherever it comes."""
        return (
            role.startswith(self.role)
            and verb == self.verb
            and any(fnmatch.fnmatchcase(path, self.path) for path in paths)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A step, and where at it."""

    step: Step
    phase: Phase

    @property
    def name(self) -> str:
        """As reports have it."""
        return f"{self.step.stage}: {self.phase} {self.step.name}"

    def rule(self, rule_id: str, *, skip: int = 0) -> Rule:
        """What kills a process there, once."""
        return Rule(
            rule_id,
            role=self.step.role,
            verb=self.step.verb,
            path=self.step.path,
            phase="after" if self.phase == "after" else "before",
            skip=self.step.skip + skip,
            times=1,
            action="tear" if self.phase == "torn" else "kill",
            behind=self.step.behind,
        )


def _steps(role: str, needs: Needs, stage: str, *rows: tuple[str, str, str] | tuple[str, str, str, str]) -> list[Step]:
    """Steps of one stage: name, verb, path, and what is behind it."""
    return [
        Step(
            stage=stage,
            name=name,
            role=role,
            verb=verb,
            path=path,
            behind=behind[0] if behind else "",
            needs=needs,
            phases=_WRITE if verb == "write" else _AROUND,
        )
        for name, verb, path, *behind in rows
    ]


def _replace(role: str, needs: Needs, stage: str, folder: str, name: str, *, others_before: int = 0) -> list[Step]:
    """The steps of `disk.replace_file`, where that many other files of the folder are replaced first."""
    staged = f"*{folder}/.{name}.new"
    return [
        Step(
            stage=stage,
            name="unlink what was left",
            role=role,
            verb="unlink",
            path=staged,
            needs=needs,
            phases=("before",),
        ),
        *_steps(
            role,
            needs,
            stage,
            ("create the new file", "create", staged),
            ("write it", "write", staged),
            ("sync it", "sync", staged),
            ("rename it", "rename", f"*{folder}/{name}"),
        ),
        Step(
            stage=stage,
            name="sync its folder",
            role=role,
            verb="sync_folder",
            path=f"*{folder}",
            behind="rename",
            skip=others_before,
            needs=needs,
        ),
    ]


# Names below these begin with the year; a probe's with a dot.
_OPEN, _SEALED, _STAGED = "*/log/open/2*", "*/log/sealed/2*", "*/lake/.staging/2*.parquet"
_HOUR, _DATE = "*/received_hour=??", "*/lake/events/received_date=????-??-??"

# In the order in which a start comes to them: each folder is made but once.
_FIRST_START = [
    *_steps("supervisor", Needs.FIRST_START, "first start", ("mkdir the data folder", "mkdir", "*/data")),
    *_replace("supervisor", Needs.FIRST_START, "first keys", "/data", "keys.json"),
    *_steps(
        "supervisor",
        Needs.FIRST_START,
        "first start",
        ("mkdir log/", "mkdir", "*/log"),
        ("mkdir open/", "mkdir", "*/log/open"),
        ("mkdir sealed/", "mkdir", "*/log/sealed"),
        ("mkdir damaged/", "mkdir", "*/log/damaged"),
    ),
    *_replace("supervisor", Needs.FIRST_START, "first keys told", "/data", "first-keys", others_before=2),
]
_WORKER = [
    *_steps(
        "worker",
        Needs.DEAD_WORKER,
        "probe",
        ("sync log/", "sync_folder", "*/log"),
        ("sync the data folder", "sync_folder", "*/data"),
        ("create", "create", "*/log/open/.probe-*"),
        ("write", "write", "*/log/open/.probe-*"),
        ("sync", "sync", "*/log/open/.probe-*"),
        ("sync open/", "sync_folder", "*/log/open", "sync"),
        ("unlink", "unlink", "*/log/open/.probe-*", "sync_folder"),
    ),
    *_steps(
        "worker",
        Needs.LOAD,
        "begin",
        ("create", "create", _OPEN),
        ("sync open/", "sync_folder", "*/log/open", "create"),
    ),
    *_steps(
        "worker",
        Needs.LOAD,
        "append",
        ("write", "write", _OPEN),
        # Behind a record that is whole already.
        ("next write", "write", _OPEN, "datasync"),
        ("datasync", "datasync", _OPEN),
    ),
    *_steps(
        "worker",
        Needs.FAILED_WRITE,
        "cut",
        ("truncate", "truncate", _OPEN),
        ("sync", "sync", _OPEN, "truncate"),
    ),
    *_steps(
        "worker",
        Needs.LOAD,
        "seal",
        ("sync", "sync", _OPEN, "datasync"),
        ("rename", "rename", _SEALED),
        ("sync sealed/", "sync_folder", "*/log/sealed"),
        ("sync open/", "sync_folder", "*/log/open", "sync_folder"),
    ),
]
_LAKE = [
    *_steps(
        "lake",
        Needs.FIRST_FILE,
        "prepare",
        ("mkdir lake/", "mkdir", "*/data/lake"),
        ("mkdir .staging/", "mkdir", "*/lake/.staging"),
    ),
    *_steps(
        "lake",
        Needs.FIRST_FILE,
        "make_folders",
        ("mkdir events/", "mkdir", "*/lake/events"),
        ("mkdir the day's folder", "mkdir", _DATE),
        ("mkdir the hour's folder", "mkdir", _HOUR),
    ),
    *_steps("lake", Needs.LEFT_IN_STAGING, "prepare", ("unlink what was left", "unlink", _STAGED)),
    *_replace("lake", Needs.LOAD, "write, take in hand", "/lake/.staging", "current.json"),
    Step(
        stage="write",
        name="unlink what was left",
        role="lake",
        verb="unlink",
        path=_STAGED,
        behind="sync_folder",
        phases=("before",),
    ),
    *_steps(
        "lake",
        Needs.LOAD,
        "write",
        ("create", "create", _STAGED),
        ("write", "write", _STAGED),
        ("unlink current.json", "unlink", "*/lake/.staging/current.json"),
    ),
    *_steps("lake", Needs.LOAD, "sync", ("sync", "sync", _STAGED)),
    *_steps("lake", Needs.LOAD, "move", ("rename", "rename", f"*/lake/events{_HOUR}/2*.parquet")),
    *_steps("lake", Needs.LOAD, "sync_folder", ("sync the hour's folder", "sync_folder", _HOUR, "rename")),
    *_steps(
        "lake",
        Needs.DEAD_LAKE,
        "sync_parents",
        ("sync the day's folder", "sync_folder", _DATE),
        ("sync events/", "sync_folder", "*/lake/events"),
        ("sync lake/", "sync_folder", "*/lake"),
        ("sync the data folder", "sync_folder", "*/data"),
    ),
    *_steps(
        "lake",
        Needs.LOAD,
        "let_go",
        ("unlink the first segment", "unlink", _SEALED, "sync_folder"),
        ("unlink another segment", "unlink", _SEALED, "unlink"),
        ("sync sealed/", "sync_folder", "*/log/sealed"),
    ),
    *_steps(
        "lake",
        Needs.NOT_LET_GO,
        "let go of what is published",
        ("sync the hour's folder", "sync_folder", _HOUR),
        ("sync the day's folder", "sync_folder", _DATE),
        ("sync the data folder", "sync_folder", "*/data"),
        ("unlink a segment", "unlink", _SEALED),
        ("sync sealed/", "sync_folder", "*/log/sealed"),
    ),
    *_steps(
        "lake",
        Needs.SET_ASIDE,
        "set aside",
        ("create the report", "create", "*/log/damaged/.*.json.new"),
        ("write the report", "write", "*/log/damaged/.*.json.new"),
        ("sync the report", "sync", "*/log/damaged/.*.json.new"),
        ("rename the report", "rename", "*/log/damaged/*.json"),
        ("rename the segment", "rename", "*/log/damaged/*.kills_the_writer"),
        ("sync sealed/", "sync_folder", "*/log/sealed", "sync_folder"),
    ),
    *(
        Step(
            stage="set aside",
            name=f"sync damaged/ behind the {what}",
            role="lake",
            verb="sync_folder",
            path="*/log/damaged",
            behind="rename",
            skip=skip,
            needs=Needs.SET_ASIDE,
        )
        for what, skip in (("report", 0), ("segment", 1))
    ),
]
_SUPERVISOR = [
    *_steps(
        "supervisor",
        Needs.DEAD_WORKER,
        "recovery",
        ("sync log/", "sync_folder", "*/log"),
        ("sync the data folder", "sync_folder", "*/data"),
        ("sync a segment", "sync", _OPEN),
        ("rename a segment", "rename", _SEALED),
        ("sync sealed/", "sync_folder", "*/log/sealed"),
        ("sync open/", "sync_folder", "*/log/open"),
    ),
    *_steps("supervisor", Needs.TORN_TAIL, "recovery", ("cut a torn tail", "truncate", _OPEN)),
    *_steps("supervisor", Needs.EMPTY_SEGMENT, "recovery", ("unlink an empty segment", "unlink", _OPEN)),
    *_replace("supervisor", Needs.DEAD_WORKER, "run.json", "/data", "run.json"),
    *_steps(
        "supervisor",
        Needs.DRAIN,
        "end",
        ("unlink run.json", "unlink", "*/data/run.json"),
        ("sync the data folder", "sync_folder", "*/data", "unlink"),
    ),
]
_COMMANDS = _replace("command", Needs.NEW_KEY, "keys.json", "/data", "keys.json")

STEPS: tuple[Step, ...] = (*_FIRST_START, *_WORKER, *_LAKE, *_SUPERVISOR, *_COMMANDS)
POINTS: tuple[Point, ...] = tuple(Point(step=step, phase=phase) for step in STEPS for phase in step.phases)
