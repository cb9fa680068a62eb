"""What identifies people in rows of the lake, made unreadable for screens and for whoever looks over a shoulder.

    user_email             its first letter stays: `e***@…`
    user_ip, user_custom   `***`
    extra                  its member `user`, what users have beyond the columns: `"***"`
    any text               server secrets that SDKs send within events, of 16 characters and more: `secret-***`

Null stays null. The rest is shown as it was sent: ids, values, metadata and the other members of `extra`, whatever an
application puts there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HIDDEN", "masked"]

HIDDEN = "***"

_HIDDEN_COLUMNS = ("user_ip", "user_custom")


def _or_escaped(text: str) -> str:
    """What matches a text also where JSON writes its characters as escapes."""
    return "".join(rf"(?:{character}|\\u00(?i:{ord(character):02x}))" for character in text)


# Letters, digits, - and _, as JSON may write them.
_OF_KEYS = r"(?:[\w-]|\\u00(?:2[dD]|3\d|[46][1-9a-fA-F]|5[\daAfF]|7[\daA]))"
# As Statsig's keys and ours look; `secret-santa` is none. In free-form JSON an escape may stand before it, as that of a
# line's end, or within. Two backslashes are one that is escaped, and begin no other escape.
_SERVER_SECRET = re.compile(
    rf"(\\\\)|(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{{4}})){_or_escaped('secret-')}{_OF_KEYS}{{16,}}", re.ASCII
)
_MAY_BE_SECRET = ("secret-", r"\u00")

_EXTRA = msgspec.json.Decoder(dict[str, msgspec.Raw])
_HIDDEN_RAW = msgspec.Raw(f'"{HIDDEN}"'.encode())


def masked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `EVENTS`, or some of its columns, as it may be shown."""
    shown: dict[str, Any] = {name: _without_secrets(value) for name, value in row.items()}
    for name in _HIDDEN_COLUMNS:
        if shown.get(name) is not None:
            shown[name] = HIDDEN
    if (email := shown.get("user_email")) is not None:
        shown["user_email"] = _email(email)
    if (extra := shown.get("extra")) is not None:
        shown["extra"] = _extra(extra)
    return shown


def _email(email: str) -> str:
    name, at, _ = email.rpartition("@")
    return f"{name[:1]}{HIDDEN}@…" if at else HIDDEN


def _extra(extra: str) -> str:
    members = _EXTRA.decode(extra)
    if "user" not in members:
        return extra
    return msgspec.json.encode(members | {"user": _HIDDEN_RAW}).decode()


def _without_secrets(value: object) -> object:
    if isinstance(value, str):
        may_be = any(part in value for part in _MAY_BE_SECRET)
        return _SERVER_SECRET.sub(lambda found: found[1] or f"secret-{HIDDEN}", value) if may_be else value
    if isinstance(value, dict):
        return {key: _without_secrets(each) for key, each in value.items()}
    return value
