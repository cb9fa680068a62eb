"""The folder of a running service's sockets and metrics: private, of a short name, in the temporary folder.

A path of a Unix socket has at most 107 bytes, so it can't lie in the data folder, whose name may be long.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from sluice import disk
from sluice.errors import SluiceError
from sluice.telemetry import messages_of

__all__ = [
    "MAX_SOCKET_PATH_BYTES",
    "METRICS_FOLDER",
    "NoRunFolder",
    "RunFolder",
    "folder_for_sockets",
    "lock_sockets",
    "make_run_folder",
    "remove_dead_run_folders",
    "remove_stale_sockets",
]

# sockaddr_un.sun_path holds 108 bytes, the last of them a zero.
MAX_SOCKET_PATH_BYTES = 107

# Of a run folder.
METRICS_FOLDER = "metrics"

_messages = messages_of("supervisor")

_PREFIX = "sluice-"
# Only a folder with this file in it is a run folder: anything else may have a name like one's.
_MARK = "run-folder"
_LONGEST_NAME = "worker-255-tools.sock"
_SOCKETS = "worker-*.sock"
# The group of a chosen folder may go in to the sockets, as an Envoy of another user does, and change nothing there.
_FOR_A_GROUP = 0o750
_LAST_RESORT = "/tmp"  # noqa: S108  the folder in it is made by mkdtemp, with mode 0700 and a name nobody can guess


class NoRunFolder(SluiceError):
    """There is no folder in which sockets can be made."""


def folder_for_sockets(folder: Path) -> Path:
    """A folder that was chosen for the workers' sockets; return it as an absolute path.

    One that is missing is made, for this user and its group (0750). One that is there stays as it is: who may enter it
    is whoever's decision who made it.

    Raises:
        NoRunFolder: it can't be made or written, or its name is too long.
    """
    path = folder.absolute()
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(_FOR_A_GROUP)  # whatever the umask is
    except OSError as exc:
        raise NoRunFolder(f"{exc.filename}: {exc.strerror}, so there is no place for sockets") from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise NoRunFolder(
            f"{path}: user {os.geteuid()} can't make sockets there",
            hint=f"give it the folder, or choose another with --sockets: chown {os.geteuid()} {path}",
        )
    if len(os.fsencode(path / _LONGEST_NAME)) > MAX_SOCKET_PATH_BYTES:
        raise NoRunFolder(
            f"{path}: too long for sockets, whose paths have at most {MAX_SOCKET_PATH_BYTES} bytes",
            hint="choose a shorter one with --sockets",
        )
    return path


def lock_sockets(folder: Path) -> int:
    """Keep others away from a folder that was chosen for sockets; return the descriptor that holds its lock.

    Workers of two services would take each other's sockets, and requests would meet the other's keys.

    Raises:
        NoRunFolder: another service has its sockets there.
    """
    fd = disk.lock_folder(folder, inheritable=False)
    if fd is None:
        raise NoRunFolder(
            f"{folder}: another service has its sockets there", hint="give each service a folder of its own: --sockets"
        )
    return fd


def remove_stale_sockets(folder: Path) -> None:
    """Remove the sockets of workers that are gone from a folder that was chosen for them, and is locked.

    A service with fewer workers would leave those of the others there for ever.
    """
    for path in folder.glob(_SOCKETS):
        try:
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
        except OSError as exc:
            _messages.warning("a stale socket stays", path=str(path), error=str(exc))


class RunFolder:
    """One service's run folder. As long as the service lives it holds the folder's lock, so nobody removes it.

    Attributes:
        path: the folder, with mode 0700.
    """

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd

    @property
    def metrics(self) -> Path:
        """Where the metrics of all processes meet."""
        return self.path / METRICS_FOLDER

    def remove(self) -> None:
        """Remove the folder with what services leave in it. Where that fails it stays: stopping goes on."""
        _try_to_remove(self.path)
        os.close(self._lock_fd)


def make_run_folder() -> RunFolder:
    """Make a run folder: in the temporary folder, or in /tmp where that one's name is too long for sockets.

    Raises:
        NoRunFolder: it can't be made there.
    """
    while True:
        try:
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_short_folder()))
        except OSError as exc:
            raise NoRunFolder(
                f"{exc.filename}: {exc.strerror}, so there is no place for sockets",
                hint="set TMPDIR to a folder that can be written",
            ) from exc
        lock_fd = disk.lock_folder(path)
        # Between mkdtemp and the lock another service may have taken it for a dead one's.
        if lock_fd is not None and path.is_dir():
            os.set_inheritable(lock_fd, False)
            folder = RunFolder(path, lock_fd)
            (path / _MARK).touch(mode=0o600)
            folder.metrics.mkdir(mode=0o700)
            return folder


def remove_dead_run_folders() -> None:
    """Remove the run folders of this user's services that were killed: those whose lock is free."""
    for place in {tempfile.gettempdir(), _short_folder()}:
        for path in Path(place).glob(f"{_PREFIX}*"):
            if not _is_ours(path):
                continue
            try:
                lock_fd = disk.lock_folder(path)
            except OSError:
                continue  # another start has just removed it
            if lock_fd is not None:
                _try_to_remove(path)
                os.close(lock_fd)


def _short_folder() -> str:
    usual = tempfile.gettempdir()
    # mkdtemp adds eight characters to the prefix.
    longest = len(os.fsencode(usual)) + len(f"/{_PREFIX}12345678/{_LONGEST_NAME}")
    return usual if longest <= MAX_SOCKET_PATH_BYTES else _LAST_RESORT


def _is_ours(path: Path) -> bool:
    try:
        facts, mark = path.lstat(), (path / _MARK).lstat()
    except OSError:
        return False
    uid = os.getuid()
    return stat.S_ISDIR(facts.st_mode) and stat.S_ISREG(mark.st_mode) and facts.st_uid == mark.st_uid == uid


def _try_to_remove(folder: Path) -> None:
    try:
        _remove(folder)
    except OSError as exc:
        _messages.warning("a run folder stays", folder=str(folder), error=str(exc))


def _remove(folder: Path) -> None:
    """Remove what a service leaves there, the mark last; a folder that holds anything else stays."""
    metrics = folder / METRICS_FOLDER
    for path in (*metrics.glob("*.db"), *metrics.glob("*.new"), *folder.glob("*.sock"), *folder.glob("envoy*")):
        path.unlink(missing_ok=True)
    if metrics.is_dir():
        metrics.rmdir()
    (folder / _MARK).unlink()
    folder.rmdir()
