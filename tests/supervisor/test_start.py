"""What `sluice up` does before anything else."""

from pathlib import Path

import pytest

from sluice import disk
from sluice.settings.load import load
from sluice.supervisor import start
from sluice.supervisor.folder_lock import FolderInUse
from tests.support.log_records import Recorder


@pytest.mark.parametrize("is_there", [False, True])
def test_the_name_of_the_data_folder_is_durable_before_anything_is_kept_in_it(
    tmp_path: Path, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise FolderInUse("here the test ends")

    data_dir = tmp_path / "data"
    if is_there:
        data_dir.mkdir()
    monkeypatch.setattr(start, "hold_folder", refuse)
    monkeypatch.setattr(start.telemetry, "configure", lambda **_: None)
    recorder = Recorder()
    with disk.observed(recorder), pytest.raises(FolderInUse):
        start.up(load({"data_dir": str(data_dir)}, environ={}))

    assert data_dir.is_dir()
    assert recorder.done[-1] == disk.Operation(verb="sync_folder", path=str(tmp_path))


def test_where_no_data_folder_can_be_made_it_is_told_which_and_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start.telemetry, "configure", lambda **_: None)
    taken = tmp_path / "file"
    taken.touch()

    for data_dir in (taken, taken / "below"):
        with pytest.raises(start.UnusableFolder) as told:
            start.up(load({"data_dir": str(data_dir)}, environ={}))

        assert told.value.message == f"{taken}: no data folder can be made: File exists"
        assert "--data-dir" in told.value.hint
