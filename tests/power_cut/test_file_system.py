"""The model allows what a POSIX file system may do, and nothing that a journalled one never does."""

import pytest

from sluice.disk import Operation
from tests.power_cut.fates import Everything, Nothing, coarse_pieces, every_way
from tests.power_cut.file_system import FileSystem, Tree


def _after(*steps: str, start: Tree | None = None) -> FileSystem:
    """A file system after steps such as `create d/f`, `write d/f 0 text`, `rename d/f e/g`, `!sync d/f` (it fails)."""
    file_system = FileSystem(start)
    for step in steps:
        verb, path, *rest = step.removeprefix("!").split()
        operation = Operation(
            verb=verb,  # type: ignore[arg-type]  one of them
            path=path,
            to=rest[0] if verb == "rename" else "",
            offset=int(rest[0]) if verb in ("write", "truncate") else 0,
            data=rest[1].encode() if verb == "write" else b"",
        )
        if step.startswith("!"):
            file_system.failed(operation)
        else:
            file_system.done(operation)
    return file_system


def _possible(file_system: FileSystem, *paths: str) -> set[tuple[bytes | str | None, ...]]:
    """What may be at these paths after a power cut: content, None for a folder, "gone"."""
    trees = every_way(file_system.after_power_cut, tears=coarse_pieces)
    return {tuple(tree.get(path, "gone") for path in paths) for tree in trees}


_FOLDERS: Tree = {"d": None, "e": None}
_FILE: Tree = {**_FOLDERS, "d/f": b"old"}


def test_what_was_synced_is_there_under_a_name_that_was_synced() -> None:
    file_system = _after("create d/f", "write d/f 0 abcd", "datasync d/f", "sync_folder d", start=_FOLDERS)

    assert _possible(file_system, "d/f") == {(b"abcd",)}


def test_a_file_that_was_synced_vanishes_with_its_name() -> None:
    file_system = _after("create d/f", "write d/f 0 abcd", "sync d/f", start=_FOLDERS)

    assert _possible(file_system, "d/f") == {(b"abcd",), ("gone",)}


def test_a_name_that_was_synced_says_nothing_of_the_content() -> None:
    file_system = _after("create d/f", "write d/f 0 abcd", "sync_folder d", start=_FOLDERS)

    assert _possible(file_system, "d/f") == {(b"",), (b"ab",), (b"\0\0\0\0",), (b"\0\0cd",), (b"abcd",)}


def test_what_is_in_a_folder_vanishes_with_the_folders_name() -> None:
    file_system = _after("mkdir d/g", "create d/g/f", "sync d/g/f", "sync_folder d/g", start=_FOLDERS)

    assert _possible(file_system, "d/g", "d/g/f") == {(None, b""), ("gone", "gone")}


@pytest.mark.parametrize("synced", [None, "d", "e"])
def test_a_rename_is_one_step_in_both_its_folders(synced: str | None) -> None:
    file_system = _after("rename d/f e/g", *([f"sync_folder {synced}"] if synced else []), start=_FILE)

    lost = set() if synced else {(b"old", "gone")}
    assert _possible(file_system, "d/f", "e/g") == {("gone", b"old"), *lost}


def test_a_rename_that_replaces_leaves_the_old_or_the_new() -> None:
    start: Tree = {"d": None, "d/f": b"old", "d/t": b"new"}

    assert _possible(_after("rename d/t d/f", start=start), "d/f", "d/t") == {(b"old", b"new"), (b"new", "gone")}


def test_steps_of_different_files_are_lost_and_kept_in_any_combination() -> None:
    file_system = _after("create d/f", "create d/g", start=_FOLDERS)

    assert len(_possible(file_system, "d/f", "d/g")) == 4


def test_no_step_of_a_file_is_kept_without_the_earlier_ones() -> None:
    file_system = _after("create d/f", "rename d/f e/f", "unlink e/f", start=_FOLDERS)

    assert _possible(file_system, "d/f", "e/f") == {("gone", "gone"), (b"", "gone"), ("gone", b"")}


def test_a_step_that_is_made_durable_brings_the_earlier_ones_along() -> None:
    file_system = _after("create d/f", "rename d/f e/f", "sync_folder e", start=_FOLDERS)

    assert _possible(file_system, "d/f", "e/f") == {("gone", b"")}


def test_a_removal_that_was_not_synced_may_be_undone() -> None:
    assert _possible(_after("unlink d/f", start=_FILE), "d/f") == {(b"old",), ("gone",)}


def test_a_cut_that_was_not_synced_may_be_undone() -> None:
    assert _possible(_after("truncate d/f 1", start=_FILE), "d/f") == {(b"old",), (b"o",)}


def test_a_sync_that_succeeds_after_one_that_failed_says_nothing_of_what_was_dropped() -> None:
    file_system = _after("write d/f 3 er", "!datasync d/f", "sync d/f", start=_FILE)

    assert {(b"old",), (b"older",)} <= _possible(file_system, "d/f")


def test_a_durable_cut_takes_with_it_what_a_failed_sync_dropped() -> None:
    file_system = _after("write d/f 3 er", "!datasync d/f", "truncate d/f 3", "sync d/f", start=_FILE)

    assert _possible(file_system, "d/f") == {(b"old",)}


def test_a_file_that_was_renamed_is_still_the_one_that_is_open() -> None:
    file_system = _after("create d/f", "rename d/f e/g", "write d/f 0 ab", "sync d/f", "sync_folder e", start=_FOLDERS)

    assert _possible(file_system, "e/g") == {(b"ab",)}


def test_bytes_written_twice_between_two_syncs_are_refused_since_their_order_would_matter() -> None:
    with pytest.raises(AssertionError, match="written twice"):
        _after("write d/f 3 ab", "write d/f 4 c", start=_FILE)


def test_the_extremes_are_a_death_of_the_process_alone_and_the_loss_of_all_that_was_not_synced() -> None:
    file_system = _after("create d/g", "write d/g 0 ab", "unlink d/f", start=_FILE)

    assert file_system.after_power_cut(Everything()) == file_system.as_processes_see_it() == {**_FOLDERS, "d/g": b"ab"}
    assert file_system.after_power_cut(Nothing()) == _FILE
