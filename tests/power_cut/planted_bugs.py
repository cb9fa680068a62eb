"""Bugs as they would really be written, to see that the model finds them.

Each is a function that plants it, as long as the monkeypatch lasts.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice import disk
from sluice.lake import publish
from sluice.lake.published import Published
from sluice.log import open_segment, recovery, set_aside
from sluice.log.open_segment import OpenSegment
from sluice.log.segment import Folders

Plant = Callable[[pytest.MonkeyPatch], None]


def _nothing(*_: object, **__: object) -> None:
    pass


def _leave_out(patch: pytest.MonkeyPatch, step: tuple[Any, str], *, in_: tuple[Any, str]) -> None:
    """Let a function go without one of the steps that it takes; others take it as before."""
    owner, name = in_
    outer, inner = getattr(owner, name), getattr(*step)
    inside: set[int] = set()

    def without(*args: Any, **kwargs: Any) -> Any:
        inside.add(threading.get_ident())
        try:
            return outer(*args, **kwargs)
        finally:
            inside.discard(threading.get_ident())

    def perhaps(*args: Any, **kwargs: Any) -> Any:
        return None if threading.get_ident() in inside else inner(*args, **kwargs)

    patch.setattr(owner, name, without)
    patch.setattr(*step, perhaps)


def _steps_in_order(patch: pytest.MonkeyPatch, *names: str) -> None:
    patch.setattr(publish, "STEPS", {name: publish.STEPS[name] for name in names})


def no_fsync_of_the_open_folder(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OpenSegment, "make_name_durable", _nothing)


def no_fsync_of_the_logs_parent(patch: pytest.MonkeyPatch) -> None:
    _leave_out(patch, (disk, "sync_folders_up_to"), in_=(Folders, "make"))


def no_fsync_of_the_data_folders_parent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk, "make_durable_folders", disk.make_folders)


def no_fsync_of_a_new_partitions_parents(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(publish.STEPS, "sync_parents", _nothing)


def no_fsync_of_a_partition(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(publish.STEPS, "sync_folder", _nothing)


def acknowledged_before_the_fdatasync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk.File, "datasync", _nothing)


def segments_let_go_before_the_parquets_fsync(patch: pytest.MonkeyPatch) -> None:
    _steps_in_order(patch, "write", "make_folders", "move", "let_go", "sync", "sync_folder", "sync_parents")


def segments_let_go_before_the_rename(patch: pytest.MonkeyPatch) -> None:
    _steps_in_order(patch, "write", "sync", "let_go", "make_folders", "move", "sync_folder", "sync_parents")


def renamed_before_the_fsync_of_the_staged_file(patch: pytest.MonkeyPatch) -> None:
    _steps_in_order(patch, "write", "make_folders", "move", "sync", "sync_folder", "sync_parents", "let_go")


def published_again_what_a_file_already_names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Published, "ids", lambda _self, _hour: frozenset())


def published_not_read_anew_after_a_failed_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Published, "forget", _nothing)


def recovered_while_it_is_being_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(disk.File, "try_lock", lambda _self: True)


def recovered_without_fsync(patch: pytest.MonkeyPatch) -> None:
    _leave_out(patch, (disk.File, "sync"), in_=(recovery, "_finish"))


def cut_without_fsync(patch: pytest.MonkeyPatch) -> None:
    _leave_out(patch, (disk.File, "sync"), in_=(OpenSegment, "cut"))


def not_cut_after_a_failed_fdatasync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OpenSegment, "cut", _nothing)


def segment_ids_used_again(patch: pytest.MonkeyPatch) -> None:
    def same(*, hour: str, node: str) -> str:
        return f"{hour}-{node}-019b7600-0000-7000-8000-0000000000aa"

    patch.setattr(open_segment, "new_segment_id", same)


def archived_into_a_folder_whose_name_is_not_durable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Folders, "make_again", lambda _self, folder: disk.make_folders(folder))


def set_aside_but_not_durably(patch: pytest.MonkeyPatch) -> None:
    def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
        disk.unlink(path)
        with disk.create(path, mode=mode) as file:
            file.write(content)

    patch.setattr(set_aside.disk, "replace_file", write)


def keys_replaced_without_fsync(patch: pytest.MonkeyPatch) -> None:
    _leave_out(patch, (disk.File, "sync"), in_=(disk, "replace_file"))


def keys_told_before_their_folders_fsync(patch: pytest.MonkeyPatch) -> None:
    _leave_out(patch, (disk, "sync_folder"), in_=(disk, "replace_file"))
