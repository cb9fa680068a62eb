"""Children are started only for the folders that the service began with."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import disk
from sluice.settings.units import Address
from sluice.supervisor.launch import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    data = tmp_path / "data"
    for name in ("log", "lake"):
        (data / name).mkdir(parents=True)
    lock_fd = disk.lock_folder(data, inheritable=False)
    assert lock_fd is not None
    found = Place(
        data_dir=data,
        run_folder=tmp_path,
        sockets=tmp_path,
        admin=Address(host="127.0.0.1", port=0),
        lock_fd=lock_fd,
        lifeline_fd=-1,
    )
    assert found.require_folder() == data
    yield found
    os.close(lock_fd)


@pytest.mark.parametrize("name", ["", "log"])
def test_another_folder_or_none_in_the_place_of_the_data_folder_or_of_the_log_is_an_error(
    place: Place, name: str
) -> None:
    own = place.data_dir / name
    away = own.with_name("away")
    own.rename(away)
    with pytest.raises(FileNotFoundError, match="not the folder that was there at the start"):
        place.require_folder()
    own.mkdir()
    with pytest.raises(FileNotFoundError, match="not the folder that was there at the start"):
        place.require_folder()
    own.rmdir()
    away.rename(own)

    assert place.require_folder() == place.data_dir


def test_a_lake_may_be_removed_and_made_again_but_not_be_on_another_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = place.data_dir / "lake"
    lake.rmdir()
    assert place.require_folder() == place.data_dir
    lake.mkdir()
    assert place.require_folder() == place.data_dir
    place_of = disk.place_of

    def on_another_disk(path: Path) -> disk.Place | None:
        found = place_of(path)
        return found._replace(device=found.device + 1) if found and path == lake else found

    monkeypatch.setattr(disk, "place_of", on_another_disk)

    with pytest.raises(FileNotFoundError, match="on another disk than at the start"):
        place.require_folder()
