"""disk.py does what it says, and nothing else touches the data folder."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice import disk


class Recorder:
    """Keeps the operations that were begun, and fails those it is told to."""

    def __init__(self, *, fail: str = "", error: int = errno.ENOSPC) -> None:
        self.begun: list[disk.Operation] = []
        self.done: list[disk.Operation] = []
        self._fail = fail
        self._error = error

    def before(self, operation: disk.Operation) -> None:
        self.begun.append(operation)
        if operation.verb == self._fail:
            raise OSError(self._error, "it failed")

    def after(self, operation: disk.Operation) -> None:
        self.done.append(operation)


def test_write_at_writes_all_buffers_one_behind_the_other(tmp_path: Path) -> None:
    buffers = [b"ab", b"", memoryview(b"cde"), bytearray(b"f")] + [b"x"] * 3000  # more than IOV_MAX
    with disk.create(tmp_path / "f") as file:
        end = file.write_at(buffers, 3)

    assert end == 3 + 6 + 3000
    assert (tmp_path / "f").read_bytes() == b"\0\0\0abcdef" + b"x" * 3000


def test_create_refuses_a_name_that_is_taken(tmp_path: Path) -> None:
    disk.create(tmp_path / "f").close()

    with pytest.raises(FileExistsError):
        disk.create(tmp_path / "f")


def test_move_new_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")

    with pytest.raises(FileExistsError):
        disk.move_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"old"


def test_a_lock_is_held_until_its_file_is_closed(tmp_path: Path) -> None:
    first = disk.create(tmp_path / "f")
    assert first.try_lock()
    second = disk.append_to(tmp_path / "f")
    assert not second.try_lock()

    first.close()

    assert second.try_lock()
    second.close()


def test_a_folder_lock_outlives_the_process_that_took_it(tmp_path: Path) -> None:
    fd = disk.lock_folder(tmp_path)
    assert fd is not None
    inherited = os.dup(fd)
    os.close(fd)

    assert disk.lock_folder(tmp_path) is None
    os.close(inherited)
    again = disk.lock_folder(tmp_path)
    assert again is not None
    os.close(again)


def test_still_at_sees_that_a_name_leads_elsewhere(tmp_path: Path) -> None:
    with disk.create(tmp_path / "f") as file:
        assert file.still_at(tmp_path / "f")
        (tmp_path / "f").rename(tmp_path / "g")
        assert not file.still_at(tmp_path / "f")
        (tmp_path / "f").write_bytes(b"another")
        assert not file.still_at(tmp_path / "f")


@pytest.mark.parametrize("step", ["create", "write", "sync", "rename"])
def test_replace_file_leaves_the_old_content_where_a_step_fails(tmp_path: Path, step: str) -> None:
    disk.replace_file(tmp_path / "f", b"old")

    with disk.observed(Recorder(fail=step)), pytest.raises(OSError, match="failed"):
        disk.replace_file(tmp_path / "f", b"new")

    assert (tmp_path / "f").read_bytes() == b"old"
    disk.replace_file(tmp_path / "f", b"newer")
    assert (tmp_path / "f").read_bytes() == b"newer"


def test_replace_file_syncs_content_before_the_name_and_the_name_last(tmp_path: Path) -> None:
    recorder = Recorder()
    with disk.observed(recorder):
        disk.replace_file(tmp_path / "f", b"content")

    assert [operation.verb for operation in recorder.done] == ["create", "write", "sync", "rename", "sync_folder"]
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_replacement_left_is_gone_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".f.new").write_bytes(b"half of")

    disk.replace_file(tmp_path / "f", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"content"


def test_sync_folders_up_to_goes_from_the_folder_to_the_top(tmp_path: Path) -> None:
    disk.make_folders(tmp_path / "a/b")
    recorder = Recorder()
    with disk.observed(recorder):
        disk.sync_folders_up_to(tmp_path / "a/b", tmp_path)

    assert [operation.path for operation in recorder.done] == [
        str(tmp_path / "a/b"),
        str(tmp_path / "a"),
        str(tmp_path),
    ]
    with pytest.raises(ValueError, match="is not below"):
        disk.sync_folders_up_to(tmp_path, tmp_path / "a")


_ON_A_DESCRIPTOR: dict[str, Callable[[disk.File], object]] = {
    "write": lambda file: file.write(b"a"),
    "datasync": disk.File.datasync,
    "sync": disk.File.sync,
    "cut": lambda file: file.cut(0),
    "size": disk.File.size,
    "read_at": lambda file: file.read_at(0, 1),
    "readinto": lambda file: file.readinto(bytearray(1)),
    "try_lock": disk.File.try_lock,
    "still_at": lambda file: file.still_at(file.path),
    "close": disk.File.close,
}


@pytest.mark.parametrize("name", _ON_A_DESCRIPTOR)
def test_an_error_of_an_open_file_says_on_which_path_though_the_system_does_not(tmp_path: Path, name: str) -> None:
    path = tmp_path / "f"
    path.touch()
    file = disk.File(2**30, path, writable=True)  # no descriptor of this process

    with pytest.raises(OSError, match="Bad file descriptor") as refused:
        _ON_A_DESCRIPTOR[name](file)
    assert refused.value.filename == str(path)
    with contextlib.suppress(OSError):
        file.close()


@pytest.mark.parametrize("step", ["create", "write", "sync", "rename", "sync_folder"])
def test_an_error_of_any_step_says_on_which_path(tmp_path: Path, step: str) -> None:
    with disk.observed(recorder := Recorder(fail=step)), pytest.raises(OSError, match="failed") as refused:
        disk.replace_file(tmp_path / "f", b"new")

    assert refused.value.filename == recorder.begun[-1].path


def test_reading_works_as_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    with disk.open_read(tmp_path / "f") as file:
        assert file.seek(-4, os.SEEK_END) == 6
        assert file.read(2) == b"67"
        assert file.tell() == 8
        assert file.read() == b"89"
        assert file.size() == 10


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_not_read_and_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "odd")

    for read in (disk.open_read, disk.read_bytes):
        with pytest.raises(OSError, match="not a regular file") as refused:
            read(tmp_path / "odd")
        assert refused.value.filename == str(tmp_path / "odd")


def test_folders_are_made_durably_each_before_the_next(tmp_path: Path) -> None:
    recorder = Recorder()
    with disk.observed(recorder):
        disk.make_durable_folders(tmp_path / "a/b")

    assert [(o.verb, o.path) for o in recorder.done] == [
        ("sync_folder", str(tmp_path.parent)),
        ("mkdir", str(tmp_path / "a")),
        ("sync_folder", str(tmp_path)),
        ("mkdir", str(tmp_path / "a/b")),
        ("sync_folder", str(tmp_path / "a")),
    ]


def test_the_name_of_a_folder_that_is_there_is_made_durable_too(tmp_path: Path) -> None:
    recorder = Recorder()
    with disk.observed(recorder):
        disk.make_durable_folders(tmp_path)

    assert [(o.verb, o.path) for o in recorder.done] == [("sync_folder", str(tmp_path.parent))]


@pytest.mark.parametrize(("error", "passes"), [(errno.EACCES, True), (errno.EINVAL, True), (errno.EIO, False)])
def test_a_folder_can_be_used_where_the_one_above_it_is_not_ours_to_sync(
    tmp_path: Path, error: int, passes: bool
) -> None:
    recorder = Recorder(fail="sync_folder", error=error)
    with disk.observed(recorder), contextlib.nullcontext() if passes else pytest.raises(OSError, match="failed"):
        disk.make_durable_folders(tmp_path)

    with disk.observed(recorder), pytest.raises(OSError, match="failed"):
        disk.make_durable_folders(tmp_path / "new")
