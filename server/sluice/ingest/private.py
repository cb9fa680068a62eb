r"""Cuts privateAttributes out of a JSON body: what they hold is not to be stored anywhere.

They are found by decoded key (`"private\u0041ttributes"` too) wherever a user object stands: in `user` of each event
and in the request's own `user`. A key may stand more than once; each occurrence is cut, as any reader may take any of
them. Every other byte stays as it was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice.ingest import scan

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_private_attributes"]

_KEY = "privateAttributes"
# An escape of an ASCII letter: what a key must hold to be one in disguise. Escapes of other characters, as encoders
# write them that keep to ASCII, are none.
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


def without_private_attributes(body: bytes) -> bytes:
    """The body without any privateAttributes of a user; the very same object if it has none.

    Args:
        body: valid JSON in UTF-8: an object.
    """
    if not _may_have_some(body):
        return body
    kept = bytearray()
    done = 0
    for start, end in _cuts(body):
        kept += body[done:start]
        done = end
    return bytes(kept + body[done:]) if done else body


def _may_have_some(body: bytes) -> bool:
    return _KEY.encode() in body or (b"\\" in body and _ESCAPED_LETTER.search(body) is not None)


def _cuts(body: bytes) -> Iterator[tuple[int, int]]:
    for member in scan.members(body, scan.start_of_value(body)):
        if member.key == "user":
            yield from _cuts_of_user(body, member.value)
        elif member.key == "events":
            for event in scan.elements(body, member.value):
                for field in scan.members(body, event):
                    if field.key == "user":
                        yield from _cuts_of_user(body, field.value)


def _cuts_of_user(body: bytes, at: int) -> Iterator[tuple[int, int]]:
    """What to cut of one user object: each member with the comma that goes with it, in order and without overlap."""
    user = list(scan.members(body, at))
    is_first = True
    for index, member in enumerate(user):
        if member.key != _KEY:
            is_first = False
        elif not is_first:
            yield user[index - 1].end, member.end
        else:
            following = user[index + 1] if index + 1 < len(user) else None
            yield member.start, following.start if following else member.end
