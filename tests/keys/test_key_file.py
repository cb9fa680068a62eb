"""Changing keys.json: durable, all or nothing, one at a time."""

import os
import stat
import threading
from pathlib import Path

import pytest

from sluice import disk
from sluice.keys import key_file
from sluice.keys.file_format import KeysUnreadable
from sluice.keys.key import Key, Kind, hash_of
from sluice.keys.key_file import KeyFile, KeysBusy, NoSuchKey, TooManyKeys, read_keys


class _Crash(BaseException):
    """The process ends here."""


class _DiesBefore:
    """Lets a number of operations happen, and none after them."""

    def __init__(self, survivors: int) -> None:
        self._left = survivors

    def before(self, _operation: disk.Operation) -> None:
        if not self._left:
            raise _Crash
        self._left -= 1

    def after(self, operation: disk.Operation) -> None:
        pass


class _Recorder:
    def __init__(self) -> None:
        self.verbs: list[tuple[str, str]] = []

    def before(self, _operation: disk.Operation) -> None:
        pass

    def after(self, operation: disk.Operation) -> None:
        self.verbs.append((operation.verb, Path(operation.path).name))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_folder_that_is_missing_holds_no_keys(path: Path) -> None:
    assert read_keys(path / "no" / "keys.json") == []


def test_a_created_key_is_in_the_file_as_its_hash_alone(path: Path) -> None:
    key, secret = KeyFile(path).create(kind=Kind.SERVER, name="shop")

    assert read_keys(path) == [key]
    assert key.sha256 == hash_of(secret)
    assert secret not in path.read_text()


def test_only_its_owner_can_read_the_file(path: Path) -> None:
    KeyFile(path).create(kind=Kind.SERVER)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_data_folder_is_made_and_its_name_is_durable(tmp_path: Path) -> None:
    recorder = _Recorder()
    with disk.observed(recorder):
        key, _ = KeyFile(tmp_path / "a" / "b" / "keys.json").create(kind=Kind.CLIENT)

    assert read_keys(tmp_path / "a" / "b" / "keys.json") == [key]
    for folder in (tmp_path.name, "a", "b"):
        assert ("sync_folder", folder) in recorder.verbs


def test_a_key_is_durable_when_it_is_returned(path: Path) -> None:
    KeyFile(path).create(kind=Kind.CLIENT)
    recorder = _Recorder()
    with disk.observed(recorder):
        KeyFile(path).create(kind=Kind.CLIENT)

    assert [verb for verb, _ in recorder.verbs] == [
        "sync_folder",  # of the folder above the data folder
        "create",
        "write",
        "sync",
        "rename",
        "sync_folder",
    ]


@pytest.mark.parametrize("survivors", range(8))
def test_a_crash_at_any_step_leaves_the_old_keys_or_the_new_ones(path: Path, survivors: int) -> None:
    old, _ = KeyFile(path).create(kind=Kind.SERVER)
    try:
        with disk.observed(_DiesBefore(survivors)):
            KeyFile(path).revoke(old.id)
    except _Crash:
        pass

    [found] = read_keys(path)
    assert found.id == old.id
    # The rename is the sixth step.
    assert (found.revoked_at is not None) is (survivors >= 6)


def test_what_a_killed_change_left_behind_goes_with_the_next_one(path: Path) -> None:
    KeyFile(path).create(kind=Kind.SERVER)
    (path.parent / ".keys.json.new").write_bytes(b"half a fi")

    KeyFile(path).create(kind=Kind.SERVER)

    assert sorted(entry.name for entry in path.parent.iterdir()) == [".keys.lock", "keys.json"]


def test_many_who_create_at_once_lose_no_key(path: Path) -> None:
    made: list[Key] = []

    def create() -> None:
        made.extend(KeyFile(path).create(kind=Kind.CLIENT)[0] for _ in range(5))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(key.id for key in read_keys(path)) == sorted(key.id for key in made)
    assert len(made) == 20


def test_who_waits_too_long_for_the_lock_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "_LOCK_TIMEOUT_S", 0.05)
    with KeyFile(path)._locked(), pytest.raises(KeysBusy, match="another process"):
        KeyFile(path).create(kind=Kind.CLIENT)


def test_an_imported_secret_is_known_by_its_hash(path: Path) -> None:
    [outcome] = KeyFile(path).import_([(Kind.SERVER, "secret-test")], project="shop")

    assert not outcome.already_there
    assert (outcome.key.sha256, outcome.key.project) == (hash_of("secret-test"), "shop")
    assert read_keys(path) == [outcome.key]


def test_a_secret_that_is_there_stays_as_it_is_revoked_or_not(path: Path) -> None:
    [first] = KeyFile(path).import_([(Kind.SERVER, "secret-test")])
    revoked = KeyFile(path).revoke(first.key.id)

    [second] = KeyFile(path).import_([(Kind.SERVER, "secret-test")], project="other")

    assert second.already_there
    assert second.key == revoked
    assert read_keys(path) == [revoked]


def test_a_secret_that_stands_twice_is_taken_once(path: Path) -> None:
    outcomes = KeyFile(path).import_([(Kind.SERVER, "secret-test"), (Kind.SERVER, "secret-test")])

    assert [outcome.already_there for outcome in outcomes] == [False, True]
    assert len(read_keys(path)) == 1


def test_more_keys_than_fit_are_refused_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "MAX_KEYS", 2)
    with pytest.raises(TooManyKeys):
        KeyFile(path).import_([(Kind.SERVER, f"secret-test{number}") for number in range(3)])

    assert read_keys(path) == []


def test_a_key_that_is_revoked_again_keeps_its_time(path: Path) -> None:
    key, _ = KeyFile(path).create(kind=Kind.SERVER)
    once = KeyFile(path).revoke(key.id)

    assert KeyFile(path).revoke(key.id) == once


def test_an_unknown_id_is_no_key(path: Path) -> None:
    with pytest.raises(NoSuchKey, match="key_nope"):
        KeyFile(path).revoke("key_nope")


def test_an_unreadable_file_is_never_written_over(path: Path) -> None:
    path.write_bytes(b"{")

    with pytest.raises(KeysUnreadable):
        KeyFile(path).create(kind=Kind.SERVER)
    assert path.read_bytes() == b"{"


def test_a_file_too_large_for_keys_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "MAX_FILE_BYTES", 10)
    path.write_bytes(b" " * 11)

    with pytest.raises(KeysUnreadable, match="larger than 10 bytes"):
        read_keys(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_owner_of_the_data_folder(path: Path) -> None:
    os.chown(path.parent, 12345, 54321)

    KeyFile(path).create(kind=Kind.SERVER)

    for name in ("keys.json", ".keys.lock"):
        made = (path.parent / name).stat()
        assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (12345, 54321, 0o600), name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_away_nothing_that_a_link_in_the_data_folder_leads_to(
    path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    foreign = tmp_path_factory.mktemp("foreign") / "file"
    foreign.touch()
    (path.parent / ".keys.lock").symlink_to(foreign)
    os.chown(path.parent, 12345, 54321)

    KeyFile(path).create(kind=Kind.SERVER)

    assert foreign.stat().st_uid == 0
