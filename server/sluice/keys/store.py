"""The keys that a running service knows, and whether one of them opens a door.

Keys(path) reads the file; `reload_if_changed`, called again and again by one thread, follows its changes; `check` reads
nothing. A file that is unreadable at the start is an error; one that becomes unreadable, or vanishes, keeps the last
good keys in force: a slip of an editor must not turn every caller away. Who changes the file: key_file.py.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from sluice import disk
from sluice.anchor import Anchor
from sluice.errors import SluiceError
from sluice.keys.file_format import KeysUnreadable
from sluice.keys.key import MAX_SECRET_CHARACTERS, Key, Kind, Refusal, hash_of, kind_of
from sluice.keys.key_file import read_keys
from sluice.telemetry import messages_of

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.contract import Source

__all__ = ["Keys"]

_messages = messages_of("keys")


class Keys:
    """All keys of a data folder, as of the last time its file was good.

    Args:
        path: keys.json; if there is none, there are no keys.

    Raises:
        KeysUnreadable: there is one, but it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unreadable = False
        self._home = Anchor(path.parent)
        self._identity = disk.identity(path)
        self._by_hash = _by_hash(read_keys(path))

    @property
    def is_unreadable(self) -> bool:
        """Whether the file couldn't be read the last time, so that older keys are in force."""
        return self._unreadable

    def all(self) -> list[Key]:
        """Every key, revoked and expired ones too, in the order in which they were made."""
        return list(self._by_hash.values())

    def check(self, secret: str | None, source: Source, *, from_query: bool, now: float) -> Key | Refusal:
        """Find the key that a request came with, if it opens the door that the request came through.

        Args:
            secret: what the caller sent; None or empty: nothing.
            source: the door.
            from_query: it stood in the address (`?k=`), which proxies and browsers keep in their logs.
            now: seconds since the epoch.
        """
        if not secret:
            return Refusal.MISSING
        if from_query and kind_of(secret) is Kind.SERVER:
            return Refusal.SERVER_SECRET_IN_QUERY
        if len(secret) > MAX_SECRET_CHARACTERS:
            return Refusal.UNKNOWN
        digest = hash_of(secret)
        key = self._by_hash.get(digest)
        # The table is looked up by hash, so what its timing tells is of no use for guessing a secret.
        if key is None or not hmac.compare_digest(key.sha256, digest):
            return Refusal.UNKNOWN
        return _refusal(key, source, from_query=from_query, now=now) or key

    def reload_if_changed(self) -> bool:
        """Read the file anew if it was changed; return whether other keys are in force now.

        For one thread at a time: what a slower one has read before a change must not replace what is read after it.
        """
        try:
            # Of another service's folder the keys open nothing here.
            self._home.check()
            identity = disk.identity(self._path)
            if identity == self._identity and not self._unreadable:
                return False
            if identity is None and self._by_hash:
                raise KeysUnreadable(f"{self._path}: it is gone")
            keys = _by_hash(read_keys(self._path))
        except (SluiceError, OSError) as exc:
            if not self._unreadable:
                _messages.error(
                    "keys unreadable; the last good ones stay in force", error=str(exc), keys=len(self._by_hash)
                )
            self._unreadable = True
            return False
        if self._unreadable:
            _messages.info("keys readable again", keys=len(keys))
        changed = keys != self._by_hash
        self._unreadable, self._identity, self._by_hash = False, identity, keys
        return changed


def _by_hash(keys: list[Key]) -> dict[str, Key]:
    return {key.sha256: key for key in keys}


def _refusal(key: Key, source: Source, *, from_query: bool, now: float) -> Refusal | None:
    if from_query and key.kind is Kind.SERVER:
        return Refusal.SERVER_SECRET_IN_QUERY
    if key.revoked_at is not None:
        return Refusal.REVOKED
    if key.expires_at is not None and now >= key.expires_at:
        return Refusal.EXPIRED
    if source not in key.sources:
        return Refusal.NOT_FOR_THIS_DOOR
    return None
