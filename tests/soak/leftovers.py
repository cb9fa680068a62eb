"""What a service that has nothing to do may have on the disk and among the processes, and nothing else."""

import json
from collections.abc import Callable, Collection
from pathlib import Path

from sluice.supervisor.run_file import read_run_file
from tests.support.ledger.lake import Finding
from tests.support.processes import processes_with
from tests.support.waiting import wait_until

__all__ = ["NewMessages", "leftovers"]

_SETTLES_WITHIN_S = 30.0
_DATA_FOLDER = {".keys.lock", "first-keys", "keys.json", "lake", "log", "run.json"}
_RUN_FOLDER = (
    "envoy",
    "metrics",
    "run-folder",
    "worker-0.sock",
    "worker-0-tools.sock",
    "worker-1.sock",
    "worker-1-tools.sock",
)


def leftovers(data_dir: Path, run_folders: Path, *, mark: str, set_aside: Collection[str]) -> list[Finding]:
    """Look at a service that runs, whose clients rest and whose log was flushed.

    Args:
        data_dir: its data folder.
        run_folders: where its folders of sockets are made, and nobody else's.
        mark: what stands in the environment of each of its processes, and of no other.
        set_aside: names that may be below log/damaged/.
    """
    log, lake = data_dir / "log", data_dir / "lake"
    return [
        *_unless_settled("data folder", lambda: sorted(_names(data_dir) - _DATA_FOLDER)),
        *_unless_settled("log/", lambda: sorted(_names(log) - {"open", "sealed", "damaged", "refused"})),
        *_unless_settled("log/open/", lambda: sorted(_names(log / "open"))),
        *_unless_settled("log/sealed/", lambda: sorted(_names(log / "sealed"))),
        *_unless_settled("log/damaged/", lambda: sorted(_names(log / "damaged") - set(set_aside))),
        *_unless_settled("log/refused/", lambda: sorted(_left_of(data_dir / "log/refused"))),
        *_unless_settled("lake/", lambda: sorted(_names(lake) - {"events", "rejects", ".staging"})),
        *_unless_settled("lake/.staging/", lambda: sorted(_names(lake / ".staging"))),
        *_unless_settled("processes", lambda: _other_processes(data_dir, mark)),
        *_unless_settled("run folders", lambda: _other_run_folders(data_dir, run_folders)),
    ]


def _unless_settled(where: str, look: Callable[[], list[str]]) -> list[Finding]:
    try:
        wait_until(lambda: not look(), within_s=_SETTLES_WITHIN_S)
    except AssertionError:
        return [Finding(what=f"left over: {where}", detail=", ".join(look()))]
    return []


def _left_of(refused: Path) -> set[str]:
    """Segments. A dead worker's probe stays until the next one has something to keep."""
    names = {name for each in ("open", "sealed", "damaged") for name in _names(refused / each)}
    return {name for name in names if not name.startswith(".probe-")}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _other_processes(data_dir: Path, mark: str) -> list[str]:
    run = read_run_file(data_dir)
    known = set() if run is None else {run.supervisor.pid, *(child.pid for child in run.children.values())}
    return [f"{pid}: {line[:200]!r}" for pid, line in processes_with(mark).items() if pid not in known]


def _other_run_folders(data_dir: Path, run_folders: Path) -> list[str]:
    """Run folders of dead services, and what is in the living one's that no process of it needs."""
    run = read_run_file(data_dir)
    own = run_folders / "none" if run is None else Path(run.sockets)
    others = [path for path in run_folders.iterdir() if path != own]
    others += [own / name for name in _names(own) if not name.startswith(_RUN_FOLDER)]
    return [str(path) for path in others]


class NewMessages:
    """What the service's processes have told since the last look.

    Args:
        path: where they write lines of JSON.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def errors(self, *, expected: Collection[str]) -> list[Finding]:
        """Messages that say that data was lost or a person must act, and tracebacks.

        Args:
            expected: parts of messages that were provoked.
        """
        with self._path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        self._read += len(content)
        lines = content.decode(errors="replace").splitlines()
        return [
            Finding(what="an ERROR, or a traceback", detail="\n".join(lines[number : number + 12])[:3000])
            for number, line in enumerate(lines)
            if _is_error(line) and not any(part in line for part in expected)
        ]


def _is_error(line: str) -> bool:
    if line.startswith("Traceback "):
        return True
    try:
        message = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and str(message.get("level", "")).lower() in ("error", "critical")
