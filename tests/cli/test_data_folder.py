"""A folder that is none of Sluice's is told, by all commands that look at one; what holds little may yet be one."""

import os
from pathlib import Path

import pytest

from sluice import disk
from tests.support.command import InProcess

_LOOKS = [
    ["log", "verify"],
    ["log", "list"],
    ["flush"],
    ["query", "select 1"],
    ["tail", "--no-follow"],
    ["trace", "01981f2e-7c40-7000-8000-0123456789ab"],
    ["rejects", "list"],
    ["keys", "list"],
    ["status"],
]


@pytest.mark.parametrize("arguments", _LOOKS, ids=" ".join)
@pytest.mark.parametrize("holds", [None, "photos/", "log/", "log", "lake/"], ids=str)
def test_a_folder_that_is_none_of_sluices_is_1_and_stays_as_it_is(
    sluice: InProcess, tmp_path: Path, arguments: list[str], holds: str | None
) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    if holds is not None:
        (wrong / holds).mkdir() if holds.endswith("/") else (wrong / holds).touch()

    result = sluice(*arguments, "--data-dir", str(wrong))

    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"error: {wrong}: no data folder of Sluice; it has neither keys nor log nor lake\n"
        "  hint: name the one of the service: --data-dir FOLDER\n"
    )
    assert [path.name for path in wrong.rglob("*")] == ([] if holds is None else [holds.removesuffix("/")])


@pytest.mark.parametrize("holds", ["log/open", "log/sealed", "log/refused", "log/damaged", "lake/events"])
def test_a_data_folder_of_which_little_is_left_is_one(sluice: InProcess, tmp_path: Path, holds: str) -> None:
    (tmp_path / "kept" / holds).mkdir(parents=True)

    for arguments in (["log", "verify"], ["flush"], ["query", "select count(*) from events"]):
        assert sluice(*arguments, "--data-dir", str(tmp_path / "kept")).code == 0


def test_a_folder_for_which_keys_were_made_is_one(sluice: InProcess, tmp_path: Path) -> None:
    there = ("--data-dir", str(tmp_path / "new"))
    assert sluice("keys", "create", "--kind", "server", *there).code == 0

    assert sluice("log", "verify", *there).code == 0


def test_a_folder_that_a_service_has_just_taken_is_one(sluice: InProcess, tmp_path: Path) -> None:
    held = disk.lock_folder(tmp_path, inheritable=False)
    assert held is not None
    try:
        assert sluice("log", "verify", "--data-dir", str(tmp_path)).code == 0
    finally:
        os.close(held)


def test_a_folder_that_may_not_be_looked_into_is_left_to_whoever_reads_it(
    sluice: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(disk, "place_of", refuse)
    monkeypatch.setattr(disk, "file_names", refuse)
    result = sluice("log", "list", "--data-dir", str(tmp_path))

    assert result.code == 1
    assert "Permission denied" in result.err
