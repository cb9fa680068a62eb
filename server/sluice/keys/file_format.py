"""keys.json: how keys are written down, and read back.

    {"version": 1, "keys": [{"id": "key_…", "kind": "server", "sha256": "…", …}, …]}

Pure functions over bytes. The fields of a key are those of `Key`; times are seconds since the epoch. A reader refuses a
version or a field that it doesn't know: an older Sluice that rewrote the file would lose what it means. Read by the
service: store.py; changed: key_file.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sluice.contract import Source  # noqa: TC001  msgspec reads the annotations of _Row
from sluice.errors import SluiceError
from sluice.keys.key import Key, Kind, OnInvalid

__all__ = ["KEYS_FILE_NAME", "MAX_FILE_BYTES", "MAX_KEYS", "KeysUnreadable", "decode", "encode"]

# In the data folder.
KEYS_FILE_NAME = "keys.json"

# Each worker holds all keys, and reads the file anew when one changes: 10,000 keys are 3.6 MB and take 0.1 s.
MAX_KEYS = 10_000
MAX_FILE_BYTES = 16 * 1024 * 1024

_Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class KeysUnreadable(SluiceError):
    """The file of keys can't be read, or doesn't hold keys."""


class _Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    kind: Kind
    sha256: _Sha256
    prefix: str
    project: str
    name: str
    sources: list[Source]
    on_invalid: OnInvalid
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1]
    keys: list[_Row]


def encode(keys: list[Key]) -> bytes:
    """Write keys as the content of keys.json, indented, so that people can read and compare it."""
    text = msgspec.json.encode(_File(version=1, keys=[_row_of(key) for key in keys]))
    return msgspec.json.format(text, indent=2) + b"\n"


def decode(content: bytes, *, place: str) -> list[Key]:
    """Read the content of keys.json.

    Args:
        content: the file's bytes.
        place: the file's name, for the error's text.

    Raises:
        KeysUnreadable: it is no JSON, of another version, or says something impossible.
    """
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise KeysUnreadable(
            f"{place}: not a file of keys: {_in_our_words(exc)}",
            hint="put back the last good copy; a file that is missing means that there are no keys",
        ) from exc
    keys = [_key_of(row) for row in file.keys]
    for what in ("id", "sha256"):
        if len({getattr(key, what) for key in keys}) < len(keys):
            raise KeysUnreadable(f"{place}: two keys have the same {what}", hint="remove one of them from the file")
    return keys


def _row_of(key: Key) -> _Row:
    facts = {field: getattr(key, field) for field in _Row.__struct_fields__}
    return _Row(**facts | {"sources": sorted(key.sources, key=lambda source: source.value)})


def _key_of(row: _Row) -> Key:
    return Key(**msgspec.structs.asdict(row) | {"sources": frozenset(row.sources)})


def _in_our_words(exc: Exception) -> str:
    if isinstance(exc, RecursionError):
        return "nested too deep"
    # msgspec names types and the path, never a value, but for unknown fields and enum values.
    text = str(exc)
    return text if text.startswith("JSON") else text[:1].lower() + text[1:]
