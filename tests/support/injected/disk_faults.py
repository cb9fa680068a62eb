"""Lets this process fail where a test says: at an operation of disk.py, or when it starts another process; by an error,
a wait, a stop or a death.

The file that DISK_FAULTS names holds rules, as tests/support/disk_faults.py writes them; it is read anew whenever it
has changed. Whenever a rule acts, a line is added to `<file>.fired` first, so that it is there though the process dies.
"""

import asyncio
import fnmatch
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import process_role

from sluice import disk

_LOOK_AGAIN_S = 0.005
_HANG_LIMIT_S = 120.0
_OF_DESCRIPTORS = {"write", "truncate", "datasync", "sync", "chown"}


class _Faults:
    def __init__(self, rules: str) -> None:
        self._path = Path(rules)
        self._fired_path = f"{rules}.fired"
        self._role = process_role.role()
        self._seen: tuple[int, int] | None = None
        self._rules: list[dict[str, Any]] = []
        self._passed: dict[str, int] = {}
        self._behind = self._verb = ""

    def before(self, operation: disk.Operation) -> None:
        self._behind, self._verb = self._verb, operation.verb
        self._act("before", operation)

    def after(self, operation: disk.Operation) -> None:
        self._act("after", operation)

    def _act(self, phase: str, operation: disk.Operation) -> None:
        self._read_if_changed()
        for rule in self._rules:
            if phase == rule["phase"] and self._is_meant(rule, operation) and self._is_due(rule):
                self._tell(rule, operation)
                self._do(rule, operation)

    def _read_if_changed(self) -> None:
        try:
            facts = self._path.stat()
            seen = (facts.st_ino, facts.st_mtime_ns)
            if seen != self._seen:
                self._rules = json.loads(self._path.read_text())
                self._seen = seen
        except FileNotFoundError:
            self._rules = []

    def _is_meant(self, rule: dict[str, Any], operation: disk.Operation) -> bool:
        return (
            self._role.startswith(rule["role"])
            and rule["verb"] in ("", operation.verb)
            and rule.get("behind", "") in ("", self._behind)
            and any(fnmatch.fnmatchcase(path, rule["path"]) for path in (operation.path, operation.to))
        )

    def _is_due(self, rule: dict[str, Any]) -> bool:
        """Whether enough have passed, and it has not acted often enough yet, in all processes together."""
        passed = self._passed.get(rule["id"], 0)
        if passed < rule["skip"]:
            self._passed[rule["id"]] = passed + 1
            return False
        return rule["times"] is None or any(self._claim(f"{rule['id']}.{turn}") for turn in range(rule["times"]))

    def _claim(self, turn: str) -> bool:
        try:
            os.close(os.open(f"{self._path}.{turn}", os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        except FileExistsError:
            return False
        return True

    def _tell(self, rule: dict[str, Any], operation: disk.Operation) -> None:
        line = {
            "id": rule["id"],
            "pid": os.getpid(),
            "role": self._role,
            "verb": operation.verb,
            "path": operation.path,
            "ns": time.monotonic_ns(),
        }
        fd = os.open(self._fired_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        os.write(fd, json.dumps(line).encode() + b"\n")
        os.close(fd)

    def _do(self, rule: dict[str, Any], operation: disk.Operation) -> None:
        match rule["action"]:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "tear":
                self._write_half(operation)
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "exit":
                os._exit(70)
            case "error":
                # As the system, which knows no name of a descriptor.
                named = () if operation.verb in _OF_DESCRIPTORS else (operation.path,)
                raise OSError(rule["errno"], os.strerror(rule["errno"]), *named)
            case "hang":
                self._wait_until_gone(rule["id"])

    def _write_half(self, operation: disk.Operation) -> None:
        fd = os.open(operation.path, os.O_WRONLY | os.O_CLOEXEC)
        # Not the half itself: of two records of one size it would leave one whole.
        os.pwrite(fd, operation.data[: len(operation.data) // 2 + 1], operation.offset)
        os.close(fd)

    def _wait_until_gone(self, rule_id: str) -> None:
        deadline = time.monotonic() + _HANG_LIMIT_S
        while any(rule["id"] == rule_id for rule in self._rules) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_S)
            self._read_if_changed()


def install(rules: str) -> None:
    """Follow the rules from now until this process ends."""
    faults = _Faults(rules)
    following = disk.observed(faults)
    following.__enter__()
    _kept.append(following)
    _let_reads_fail(faults)
    _let_looks_fail(faults)
    _let_starts_fail(faults)


def _let_reads_fail(faults: _Faults) -> None:
    """Reading is not observed; it is here the verb `read`."""
    open_read = disk.open_read

    def observed(path: Path) -> disk.File:
        faults.before(disk.Operation(verb="read", path=str(path)))  # type: ignore[arg-type]  a verb of these tests
        return open_read(path)

    disk.open_read = observed


def _let_looks_fail(faults: _Faults) -> None:
    """To list a folder is here the verb `list`, to ask for a file's facts `stat`."""
    for verb, names in {"list": ("entries", "entries_by_kind", "file_names"), "stat": ("identity", "size_of")}.items():
        for name in names:
            setattr(disk, name, _observed(faults, verb, getattr(disk, name)))


def _observed(faults: _Faults, verb: Any, look: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def observed(path: Path) -> Any:
        faults.before(disk.Operation(verb=verb, path=str(path)))
        return look(path)

    return observed


def _let_starts_fail(faults: _Faults) -> None:
    """The start of a process is here the verb `start`; its path is the command."""
    create = asyncio.create_subprocess_exec

    async def observed(*command: str, **options: Any) -> asyncio.subprocess.Process:
        faults.before(disk.Operation(verb="start", path=" ".join(command)))  # type: ignore[arg-type]  as above
        return await create(*command, **options)

    asyncio.create_subprocess_exec = observed


# A context manager that is collected would end it.
_kept: list[object] = []
