"""keys.json on disk: read it, and change it so that a crash at any point leaves the old keys or the new ones.

A change takes a lock of its own (`.keys.lock`, beside the file), reads, writes a new file, syncs it, renames it into
place, and syncs the folder. The lock is not the data folder's: that one is held by a running service, which sees the
change within a second. Nothing here needs that service. Where root makes a change, the files belong to the owner
of the data folder, so that the service can read them.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import disk
from sluice.errors import SluiceError
from sluice.keys.file_format import MAX_FILE_BYTES, MAX_KEYS, KeysUnreadable, decode, encode
from sluice.keys.key import DEFAULT_PROJECT, Key, Kind, OnInvalid, default_sources, hash_of, new_secret, prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sluice.contract import Source

__all__ = ["Imported", "KeyFile", "KeysBusy", "NoSuchKey", "TooManyKeys", "read_keys"]

_LOCK_NAME = ".keys.lock"
_LOCK_TIMEOUT_S = 10.0
_LOCK_POLL_S = 0.01


class KeysBusy(SluiceError):
    """Another process holds the lock of the keys, and did not let go in time."""


class NoSuchKey(SluiceError):
    """No key has that id."""


class TooManyKeys(SluiceError):
    """The file would hold more keys than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of one secret that was imported.

    Attributes:
        key: the key that is in the file now.
        already_there: it was there before, and is as it was.
    """

    key: Key
    already_there: bool


class KeyFile:
    """keys.json of one data folder, for those who change it. The folder is made if it is missing.

    Every call may raise KeysUnreadable (what is there can't be read; it is left as it is), KeysBusy, and OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Key]:
        """Every key, revoked and expired ones too, in the order in which they were made."""
        return read_keys(self._path)

    def create(
        self,
        *,
        kind: Kind,
        name: str = "",
        project: str = DEFAULT_PROJECT,
        sources: frozenset[Source] | None = None,
        on_invalid: OnInvalid = OnInvalid.REJECT,
        expires_at: float | None = None,
    ) -> tuple[Key, str]:
        """Make a new key; return it with its secret, which nobody can find out later. It is durable then.

        Args:
            kind: who holds it.
            name: what its maker calls it.
            project: events that come with it belong to it.
            sources: the doors it opens; None: those that its kind opens.
            on_invalid: what becomes of requests with invalid events.
            expires_at: seconds since the epoch, from when on it is refused; None: never.

        Raises:
            TooManyKeys: there is no room for one more.
        """
        secret = new_secret(kind)
        with self._locked():
            keys = self.all()
            key = dataclasses.replace(
                _key_of(secret, kind, project),
                name=name,
                sources=default_sources(kind) if sources is None else sources,
                on_invalid=on_invalid,
                expires_at=expires_at,
            )
            self._replace([*keys, key])
        return key, secret

    def import_(self, secrets: Sequence[tuple[Kind, str]], *, project: str = DEFAULT_PROJECT) -> list[Imported]:
        """Take in secrets that were made elsewhere: all of them, durably, or, when an error is raised, none.

        A secret that is there already stays as it is, revoked or not.

        Args:
            secrets: well-formed, each with who holds it; one that stands twice is taken once.
            project: events that come with them belong to it.

        Raises:
            TooManyKeys: there is no room for all.
        """
        with self._locked():
            by_hash = {key.sha256: key for key in self.all()}
            before = len(by_hash)
            outcomes = []
            for kind, secret in secrets:
                there = by_hash.get(hash_of(secret))
                key = there or _key_of(secret, kind, project)
                by_hash[key.sha256] = key
                outcomes.append(Imported(key=key, already_there=there is not None))
            if len(by_hash) > before:
                self._replace(list(by_hash.values()))
        return outcomes

    def revoke(self, key_id: str) -> Key:
        """Refuse a key from now on; return it as it is then. One that was revoked before keeps that time.

        Raises:
            NoSuchKey: no key has that id.
        """
        return self._change(
            key_id, lambda key: key if key.revoked_at is not None else dataclasses.replace(key, revoked_at=time.time())
        )

    def set_on_invalid(self, key_id: str, on_invalid: OnInvalid) -> Key:
        """Change what becomes of a key's requests with invalid events; return it as it is then.

        Raises:
            NoSuchKey: no key has that id.
        """
        return self._change(key_id, lambda key: dataclasses.replace(key, on_invalid=on_invalid))

    def _change(self, key_id: str, changed: Callable[[Key], Key]) -> Key:
        with self._locked():
            keys = self.all()
            position = next((i for i, key in enumerate(keys) if key.id == key_id), None)
            if position is None:
                raise NoSuchKey(f'no key has the id "{key_id}"')
            before, keys[position] = keys[position], changed(keys[position])
            if keys[position] != before:
                self._replace(keys)
        return keys[position]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = self._path.parent
        disk.make_durable_folders(folder.absolute())
        lock = _open_or_create(folder / _LOCK_NAME)
        try:
            deadline = time.monotonic() + _LOCK_TIMEOUT_S
            while not lock.try_lock():
                if time.monotonic() > deadline:
                    raise KeysBusy(
                        f"{self._path}: another process has been changing it for {_LOCK_TIMEOUT_S:.0f} s",
                        hint=f"see which: fuser {lock.path}",
                    )
                time.sleep(_LOCK_POLL_S)
            yield
        finally:
            lock.close()

    def _replace(self, keys: list[Key]) -> None:
        if len(keys) > MAX_KEYS:
            raise TooManyKeys(f"{self._path}: {len(keys)} keys; at most {MAX_KEYS} fit")
        disk.replace_file(self._path, encode(keys), mode=0o600)


def read_keys(path: Path) -> list[Key]:
    """Read a file of keys; no keys if there is none.

    Raises:
        KeysUnreadable: there is one, but it can't be read.
    """
    try:
        if disk.size_of(path) > MAX_FILE_BYTES:
            raise KeysUnreadable(f"{path}: larger than {MAX_FILE_BYTES} bytes, so it is no file of keys")
        content = disk.read_bytes(path)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise KeysUnreadable(
            f"{path}: {exc.strerror}", hint="it must be readable by the user that Sluice runs as"
        ) from exc
    return decode(content, place=str(path))


def _key_of(secret: str, kind: Kind, project: str) -> Key:
    return Key(
        id=_new_id(),
        kind=kind,
        sha256=hash_of(secret),
        prefix=prefix_of(secret),
        project=project,
        name="",
        sources=default_sources(kind),
        on_invalid=OnInvalid.REJECT,
        created_at=time.time(),
    )


def _new_id() -> str:
    # 64 bits: among 10,000 keys two alike are less likely than a broken disk; decode() would say so.
    return f"key_{secrets.token_hex(8)}"


def _open_or_create(path: Path) -> disk.File:
    while True:
        try:
            return disk.append_to(path)
        except FileNotFoundError:
            try:
                file = disk.create(path, mode=0o600)
            except FileExistsError:
                continue
            file.give_to_owner_of_folder()
            return file
