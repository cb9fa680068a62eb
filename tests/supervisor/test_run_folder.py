"""The folder of sockets: private, short, and gone when its service is."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.supervisor.run_folder import (
    MAX_SOCKET_PATH_BYTES,
    NoRunFolder,
    RunFolder,
    folder_for_sockets,
    lock_sockets,
    make_run_folder,
    remove_dead_run_folders,
    remove_stale_sockets,
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sluice.supervisor.run_folder._LAST_RESORT", str(tmp_path))
    return tmp_path


def _longest_socket(folder: RunFolder) -> Path:
    return folder.path / "worker-255.sock"


def test_only_its_user_can_enter_it(temporary: Path) -> None:
    folder = make_run_folder()

    assert folder.path.parent == temporary
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.metrics.is_dir()
    folder.remove()


def test_where_the_temporary_folder_has_a_long_name_it_lies_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    folder = make_run_folder()

    assert len(os.fsencode(_longest_socket(folder))) <= MAX_SOCKET_PATH_BYTES
    folder.remove()
    assert list(long.iterdir()) == []


def test_nothing_of_it_stays(temporary: Path) -> None:
    folder = make_run_folder()
    (folder.path / "worker-0.sock").touch()
    (folder.metrics / "counter_1.db").touch()
    folder.remove()

    assert list(temporary.iterdir()) == []


def test_that_of_a_dead_service_is_removed_and_that_of_a_live_one_stays(temporary: Path) -> None:
    live = make_run_folder()
    script = (
        "import tempfile, sys; tempfile.tempdir = sys.argv[1]\n"
        "from sluice.supervisor import run_folder; run_folder._LAST_RESORT = sys.argv[1]\n"
        "folder = run_folder.make_run_folder(); (folder.metrics / 'x.db').touch(); print(folder.path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(temporary)], capture_output=True, text=True, check=True, timeout=30
    )
    dead = Path(done.stdout.strip())
    assert dead.is_dir()
    remove_dead_run_folders()

    assert not dead.exists()
    assert live.path.is_dir()
    live.remove()


def test_a_folder_of_another_s_with_such_a_name_is_left_alone(temporary: Path) -> None:
    data = temporary / "sluice-data"
    (data / "log/sealed").mkdir(parents=True)
    (data / "log/sealed/segment").write_text("precious")
    (data / "keys.json").write_text("precious")
    remove_dead_run_folders()

    assert (data / "log/sealed/segment").read_text() == "precious"
    assert (data / "keys.json").read_text() == "precious"


def test_a_file_that_no_service_made_keeps_its_folder(temporary: Path) -> None:
    folder = temporary / "sluice-12345678"
    folder.mkdir()
    (folder / "run-folder").touch()
    (folder / "thesis.txt").write_text("precious")
    remove_dead_run_folders()

    assert (folder / "thesis.txt").read_text() == "precious"


def test_a_temporary_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr("sluice.supervisor.run_folder._LAST_RESORT", str(tmp_path / "missing"))

    with pytest.raises(NoRunFolder, match="no place for sockets"):
        make_run_folder()


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_a_chosen_folder_that_is_missing_is_made_for_its_group_too(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = folder_for_sockets(tmp_path / "sockets")
    finally:
        os.umask(before)

    assert made.stat().st_mode & 0o7777 == 0o750


def test_a_chosen_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o711)
    mode = folder.stat().st_mode

    assert folder_for_sockets(folder) == folder
    assert folder.stat().st_mode == mode


def test_a_chosen_folder_that_is_a_file_or_has_a_long_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NoRunFolder, match="file: File exists"):
        folder_for_sockets(tmp_path / "file")
    with pytest.raises(NoRunFolder, match="too long for sockets"):
        folder_for_sockets(tmp_path / ("x" * 100))


def test_two_services_dont_share_a_folder_of_sockets(tmp_path: Path) -> None:
    held = lock_sockets(tmp_path)
    try:
        with pytest.raises(NoRunFolder, match="another service has its sockets there"):
            lock_sockets(tmp_path)
    finally:
        os.close(held)
    os.close(lock_sockets(tmp_path))


def test_sockets_of_workers_that_are_gone_are_removed_from_a_chosen_folder_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    for name in ("worker-0.sock", "worker-7.sock", "envoy.sock"):
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(name)
    (tmp_path / "worker-1.sock").write_text("mine")

    remove_stale_sockets(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["envoy.sock", "worker-1.sock"]


def test_a_run_folder_that_another_start_has_just_removed_stops_no_start(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path) -> None:
        raise FileNotFoundError(path)

    folder = temporary / "sluice-12345678"
    folder.mkdir()
    (folder / "run-folder").touch()
    monkeypatch.setattr("sluice.disk.lock_folder", gone)

    remove_dead_run_folders()
