"""Which key opens which door, and how a running service follows the file."""

import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from sluice import disk
from sluice.contract import Source
from sluice.keys.file_format import KeysUnreadable
from sluice.keys.key import Key, Kind, Refusal
from sluice.keys.key_file import KeyFile
from sluice.keys.store import Keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def _check(keys: Keys, secret: str | None, source: Source = Source.SDK, **more: Any) -> Key | Refusal:
    return keys.check(secret, source, **{"from_query": False, "now": time.time()} | more)


def test_a_key_opens_its_doors(path: Path) -> None:
    key, secret = KeyFile(path).create(kind=Kind.SERVER)

    keys = Keys(path)

    assert [_check(keys, secret, source) for source in Source] == [key] * 3


@pytest.mark.parametrize("secret", [None, ""])
def test_no_secret_is_a_missing_key(path: Path, secret: str | None) -> None:
    assert _check(Keys(path), secret) is Refusal.MISSING


@pytest.mark.parametrize("secret", ["secret-nobody-knows", "s" * 10_000_000, "\udcff", "é"])
def test_any_other_secret_is_unknown(path: Path, secret: str) -> None:
    KeyFile(path).create(kind=Kind.SERVER)

    assert _check(Keys(path), secret) is Refusal.UNKNOWN


def test_looking_a_key_up_touches_no_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = KeyFile(path).create(kind=Kind.SERVER)
    keys = Keys(path)
    for name in ("identity", "size_of", "read_bytes"):
        monkeypatch.setattr(disk, name, _touched)

    assert _check(keys, secret) == key
    assert _check(keys, "secret-nobody-knows") is Refusal.UNKNOWN


def _touched(path: Path) -> None:
    raise AssertionError(f"{path} is looked at")


def test_a_client_key_opens_no_webhook_unless_it_says_so(path: Path) -> None:
    _, plain = KeyFile(path).create(kind=Kind.CLIENT)
    wide, secret = KeyFile(path).create(kind=Kind.CLIENT, sources=frozenset({Source.WEBHOOK}))
    keys = Keys(path)

    assert _check(keys, plain, Source.WEBHOOK) is Refusal.NOT_FOR_THIS_DOOR
    assert _check(keys, secret, Source.WEBHOOK) == wide


def test_a_server_secret_in_the_address_is_refused_known_or_not(path: Path) -> None:
    _, secret = KeyFile(path).create(kind=Kind.SERVER)
    [imported] = KeyFile(path).import_([(Kind.SERVER, "0123456789-server")])
    keys = Keys(path)

    for sent in (secret, "secret-nobody-knows", "0123456789-server"):
        assert _check(keys, sent, from_query=True) is Refusal.SERVER_SECRET_IN_QUERY
    assert _check(keys, "0123456789-server") == imported.key


def test_a_client_key_in_the_address_opens_the_door(path: Path) -> None:
    key, secret = KeyFile(path).create(kind=Kind.CLIENT)

    assert _check(Keys(path), secret, from_query=True) == key


def test_a_key_is_refused_from_its_expiry_on(path: Path) -> None:
    key, secret = KeyFile(path).create(kind=Kind.CLIENT, expires_at=1000.0)
    keys = Keys(path)

    assert _check(keys, secret, now=999.9) == key
    assert _check(keys, secret, now=1000.0) is Refusal.EXPIRED


def test_a_file_that_is_unreadable_at_the_start_is_an_error(path: Path) -> None:
    path.write_text("{")

    with pytest.raises(KeysUnreadable):
        Keys(path)


def test_a_new_key_and_a_revoked_one_are_seen_when_the_file_is_looked_at(path: Path) -> None:
    keys = Keys(path)
    key, secret = KeyFile(path).create(kind=Kind.CLIENT)

    assert keys.reload_if_changed()
    assert _check(keys, secret) == key

    KeyFile(path).revoke(key.id)

    assert keys.reload_if_changed()
    assert _check(keys, secret) is Refusal.REVOKED
    assert not keys.reload_if_changed()


@pytest.mark.parametrize("harm", ["garbage", "gone"])
def test_a_file_that_becomes_unreadable_keeps_the_last_good_keys_and_is_told_once(path: Path, harm: str) -> None:
    key, secret = KeyFile(path).create(kind=Kind.CLIENT)
    content = path.read_bytes()
    keys = Keys(path)

    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-5])
    with structlog.testing.capture_logs() as told:
        assert not any(keys.reload_if_changed() for _ in range(3))

    assert _check(keys, secret) == key
    assert [message["log_level"] for message in told] == ["error"]

    path.write_bytes(content)
    with structlog.testing.capture_logs() as told:
        keys.reload_if_changed()

    assert [message["event"] for message in told] == ["keys readable again"]


def test_the_keys_of_another_folder_in_the_place_of_the_own_open_nothing(tmp_path: Path) -> None:
    data, foreign = tmp_path / "data", tmp_path / "foreign"
    for folder in (data, foreign):
        folder.mkdir()
    key, secret = KeyFile(data / "keys.json").create(kind=Kind.CLIENT)
    _, foreign_secret = KeyFile(foreign / "keys.json").create(kind=Kind.CLIENT)
    keys = Keys(data / "keys.json")

    data.rename(tmp_path / "away")
    foreign.rename(data)
    with structlog.testing.capture_logs() as told:
        assert not any(keys.reload_if_changed() for _ in range(3))

    assert keys.is_unreadable
    assert [_check(keys, each) for each in (secret, foreign_secret)] == [key, Refusal.UNKNOWN]
    [message] = told
    assert "not the folder that was there at the start" in message["error"]

    data.rename(foreign)
    (tmp_path / "away").rename(data)
    keys.reload_if_changed()

    assert not keys.is_unreadable
