r"""Cuts privateAttributes out of a JSON body: what they hold is not to be stored anywhere.

They are found by decoded key (`"private\u0041ttributes"` too) wherever a user object stands: in `user` of each
event or exposure, and in the request's own `user`. A key may stand more than once; each occurrence is cut, as any
reader may take any of them. Every other byte stays as it was.

In a body that was refused, who knows what stands for a user? There they are cut wherever they stand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice.ingest.scan import MemberFinder, decoded, end_of_separators, end_of_value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["without_private_anywhere", "without_private_attributes"]

_KEY = "privateAttributes"
# An escape of an ASCII letter: what a key must hold to be one in disguise. Escapes of other characters, as encoders
# write them that keep to ASCII, are none.
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")

_SPACES = b" \t\n\r"
_COLON = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+")
# Past all strings that can't be that key, to the next that may.
_NEXT_STRING = re.compile(
    rb'(?:[^"]++|"(?!' + _KEY.encode() + rb'"|[^"\\]*+\\)(?:[^"\\]++|\\.)*+")*+("(?:[^"\\]++|\\.)*+")', re.DOTALL
)

_OF_REQUEST = MemberFinder("events", "exposures", "user")
_OF_EVENT = MemberFinder("user")
_OF_USER = MemberFinder(_KEY)


def without_private_attributes(body: bytes) -> bytes:
    """The body without any privateAttributes of a user; the very same object if it has none.

    Args:
        body: valid JSON in UTF-8: an object.
    """
    if not _may_have_some(body):
        return body
    cutter = _Cutter(body)
    cutter.request(end_of_separators(body, 0))
    return cutter.rest() if cutter.cuts else body


def without_private_anywhere(body: bytes) -> bytes:
    """The body without any member of that name, at any depth; the very same object if it has none.

    Args:
        body: valid JSON in UTF-8, of any type.
    """
    if not _may_have_some(body):
        return body
    cuts: list[tuple[int, int]] = []
    at = 0
    while (found := _NEXT_STRING.match(body, at)) is not None:
        at = found.end()
        if decoded(found.group(1)) != _KEY or (colon := _COLON.match(body, at)) is None:
            continue
        at = end_of_value(body, colon.end())
        cuts.append(_cut_of_member(body, found.start(1), at, after=cuts[-1][1] if cuts else 0))
    return _rest(body, cuts) if cuts else body


def _cut_of_member(body: bytes, start: int, end: int, *, after: int) -> tuple[int, int]:
    """What to cut so that the object stays one: with the comma before the member, or with the one behind it.

    Args:
        body: the body.
        start: where its key begins.
        end: where its value ends.
        after: where the cut before ends.
    """
    before = len(body[after:start].rstrip(_SPACES)) + after
    if before > after and body[before - 1 : before] == b",":
        return before - 1, end
    following = end_of_separators(body, end)
    # Behind the comma; where none follows, it was the last member of its object.
    return start, following if body[following : following + 1] == b'"' else end


def _may_have_some(body: bytes) -> bool:
    return _KEY.encode() in body or (b"\\" in body and _ESCAPED_LETTER.search(body) is not None)


def _rest(body: bytes, cuts: Sequence[tuple[int, int]]) -> bytes:
    ends = [0, *(end for _, end in cuts)]
    starts = [*(start for start, _ in cuts), len(body)]
    return b"".join(body[end:start] for end, start in zip(ends, starts, strict=True))


class _Cutter:
    """Goes through a body and notes what to cut. Each method takes where a value begins, and returns where it ends."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.cuts: list[tuple[int, int]] = []

    def rest(self) -> bytes:
        """All but the cuts."""
        return _rest(self._body, self.cuts)

    def request(self, at: int) -> int:
        at += 1
        while not isinstance(member := _OF_REQUEST.next(self._body, at), int):
            if member.key == "user":
                at = self._user(member.value)
            elif member.key in {"events", "exposures"}:
                at = self._events(member.value)
            else:
                at = end_of_value(self._body, member.value)
        return member

    def _events(self, at: int) -> int:
        if self._body[at : at + 1] != b"[":
            return end_of_value(self._body, at)
        at = end_of_separators(self._body, at + 1)
        while self._body[at : at + 1] != b"]":
            at = end_of_separators(self._body, self._event(at))
        return at + 1

    def _event(self, at: int) -> int:
        if self._body[at : at + 1] != b"{":
            return end_of_value(self._body, at)
        at += 1
        while not isinstance(member := _OF_EVENT.next(self._body, at), int):
            at = self._user(member.value) if member.key == "user" else end_of_value(self._body, member.value)
        return member

    def _user(self, at: int) -> int:
        if self._body[at : at + 1] != b"{":
            return end_of_value(self._body, at)
        at += 1
        keeps_one = False
        while not isinstance(member := _OF_USER.next(self._body, at), int):
            keeps_one = keeps_one or member.skipped
            at = end_of_value(self._body, member.value)
            if member.key != _KEY:
                keeps_one = True
            elif keeps_one:
                # With the comma before it.
                self.cuts.append((member.before, at))
            else:
                following = end_of_separators(self._body, at)
                self.cuts.append((member.start, following if self._body[following : following + 1] == b'"' else at))
        return member
