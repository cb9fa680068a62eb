r"""Cuts privateAttributes out of a JSON body: what they hold is not to be stored anywhere.

They are found by decoded key (`"private\u0041ttributes"` too) wherever a user object stands: in `user` of each
event or exposure, and in the request's own `user`. A key may stand more than once; each occurrence is cut, as any
reader may take any of them. Every other byte stays as it was.
"""

from __future__ import annotations

import re

from sluice.ingest.scan import MemberFinder, end_of_separators, end_of_value

__all__ = ["without_private_attributes"]

_KEY = "privateAttributes"
# An escape of an ASCII letter: what a key must hold to be one in disguise. Escapes of other characters, as encoders
# write them that keep to ASCII, are none.
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")

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


def _may_have_some(body: bytes) -> bool:
    return _KEY.encode() in body or (b"\\" in body and _ESCAPED_LETTER.search(body) is not None)


class _Cutter:
    """Goes through a body and notes what to cut. Each method takes where a value begins, and returns where it ends."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.cuts: list[tuple[int, int]] = []

    def rest(self) -> bytes:
        """All but the cuts."""
        ends = [0, *(end for _, end in self.cuts)]
        starts = [*(start for start, _ in self.cuts), len(self._body)]
        return b"".join(self._body[end:start] for end, start in zip(ends, starts, strict=True))

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
