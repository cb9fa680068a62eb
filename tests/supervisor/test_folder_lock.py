"""One service per data folder, whatever was killed before: real processes hold the lock."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice import disk
from sluice.supervisor.folder_lock import FolderInUse, hold_folder
from sluice.supervisor.process_id import ProcessId, end_process, is_alive
from sluice.supervisor.run_file import RunFile, write_run_file
from tests.support.bystander import bystander

_NOBODY = ProcessId(pid=2**22 - 1, started=1)


@contextmanager
def _holder(folder: Path, *, seconds: float) -> Iterator[ProcessId]:
    """A process that has inherited the folder's lock, and ends by itself after a while."""
    fd = disk.lock_folder(folder)
    assert fd is not None
    with bystander(seconds=seconds, inherits=(fd,)) as found:
        os.close(fd)
        yield found


def _run_file(supervisor: ProcessId, **children: ProcessId) -> RunFile:
    return RunFile(supervisor=supervisor, children=children, listen="", admin="", sockets="")


def test_a_free_folder_is_taken_and_held(tmp_path: Path) -> None:
    fd = hold_folder(tmp_path)

    assert disk.lock_folder(tmp_path) is None
    os.close(fd)
    os.close(disk.lock_folder(tmp_path) or -1)


def test_a_folder_of_a_live_service_is_refused_at_once(tmp_path: Path) -> None:
    with _holder(tmp_path, seconds=60) as service:
        write_run_file(tmp_path, _run_file(service))
        began = time.monotonic()
        with pytest.raises(FolderInUse, match=f"in use by another service, process {service.pid}"):
            hold_folder(tmp_path)

    assert time.monotonic() - began < 2


def test_orphans_of_a_killed_service_are_waited_for(tmp_path: Path) -> None:
    with _holder(tmp_path, seconds=1) as orphan:
        write_run_file(tmp_path, _run_file(_NOBODY, lake=orphan))
        os.close(hold_folder(tmp_path, orphans_may_take_s=20))

        assert not is_alive(orphan)


def test_orphans_that_do_not_end_are_killed(tmp_path: Path) -> None:
    with _holder(tmp_path, seconds=60) as orphan:
        write_run_file(tmp_path, _run_file(_NOBODY, lake=orphan))
        os.close(hold_folder(tmp_path, orphans_may_take_s=0.2))

        assert not is_alive(orphan)


def test_a_process_that_only_has_an_orphans_id_is_left_alone(tmp_path: Path) -> None:
    with _holder(tmp_path / "..", seconds=60) as stranger:
        another = ProcessId(pid=stranger.pid, started=stranger.started + 1)
        write_run_file(tmp_path, _run_file(_NOBODY, lake=another))
        os.close(hold_folder(tmp_path, orphans_may_take_s=0.1))

        assert is_alive(stranger)
        assert end_process(another)
        assert is_alive(stranger)


def test_a_holder_whom_no_run_json_names_is_not_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.supervisor.folder_lock._KILLED_MAY_TAKE_S", 0.2)
    with _holder(tmp_path, seconds=60) as stranger:
        with pytest.raises(FolderInUse, match=r"no run\.json names"):
            hold_folder(tmp_path, orphans_may_take_s=0.1)

        assert is_alive(stranger)


def test_what_a_killed_service_left_without_the_lock_is_killed_too(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with _holder(elsewhere, seconds=60) as envoy:
        write_run_file(tmp_path, _run_file(_NOBODY, envoy=envoy))
        os.close(hold_folder(tmp_path))

        assert not is_alive(envoy)
