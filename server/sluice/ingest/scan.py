"""Positions within valid JSON: where members of an object with certain names stand, and where values end.

Offsets are in bytes. The text must be valid JSON in UTF-8, as validate.py has found it to be: nothing is checked here.
What lies between is skipped by one match of a regular expression without backtracking (every quantifier possessive),
so that the time goes with the bytes, some 10 ns each, rather than with the fields.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

__all__ = ["Member", "MemberFinder", "decoded", "end_of_separators", "end_of_value"]

_SPACE = rb"[ \t\n\r]*+"
_SEPARATORS = rb"[ \t\n\r,]*+"
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_PLAIN = rb'[^"\[\]{}]++'
_BRACKETS = rb"[\[\]{}]"

_END_OF_SEPARATORS = re.compile(_SEPARATORS)
# From within a container, past whole strings, to its next bracket.
_TO_BRACKET = re.compile(rb"(?:" + _PLAIN + rb"|" + _STRING + rb")*+(" + _BRACKETS + rb")", re.DOTALL)
_OPENING = b"{["

# Containers nested deeper are gone through bracket by bracket.
_LEVELS_AT_ONCE = 6


def _value_pattern() -> bytes:
    container = rb"[{\[](?:" + _PLAIN + rb"|" + _STRING + rb")*+[}\]]"
    for _ in range(_LEVELS_AT_ONCE - 1):
        container = rb"[{\[](?:" + _PLAIN + rb"|" + _STRING + rb"|" + container + rb")*+[}\]]"
    return rb"(?:" + _STRING + rb"|[^\[\]{},\" \t\n\r]++|" + container + rb")"


_VALUE_PATTERN = _value_pattern()
_VALUE = re.compile(_VALUE_PATTERN, re.DOTALL)


class Member(NamedTuple):
    """A member of an object: `"key": value`.

    Attributes:
        key: decoded, so that an escaped key is found by its name.
        before: offset behind the value of the member before it, or behind the object's brace.
        skipped: whether other members stand between there and what was found last.
        start: offset of the key's opening quote.
        value: offset of the value.
    """

    key: str
    before: int
    skipped: bool
    start: int
    value: int


class MemberFinder:
    """Finds members by their names, given in ASCII.

    It also stops at keys with escapes, and at members with very deep values: whoever asks looks at `key`.
    """

    def __init__(self, *names: str) -> None:
        wanted = b"|".join(re.escape(f'"{name}"'.encode()) for name in names)
        # A run of members that are none of the wanted, then the key of the next, or the object's end.
        other_key = rb"(?!" + wanted + rb'|"[^"\\]*+\\)' + _STRING
        colon = _SPACE + rb":" + _SPACE
        other_member = _SEPARATORS + other_key + colon + _VALUE_PATTERN
        following = _SEPARATORS + rb"(?:(" + _STRING + rb")" + colon + rb"|\})"
        self._pattern = re.compile(rb"((?:" + other_member + rb")*+)" + following, re.DOTALL)

    def next(self, text: bytes, at: int) -> Member | int:
        """The next such member of an object, or the offset behind the object's end.

        Args:
            text: valid JSON.
            at: behind the object's opening brace, or behind the value of the member that was found last.
        """
        found = self._pattern.match(text, at)
        assert found is not None, "the text is valid: a member or a brace follows"
        key = found.group(2)
        if key is None:
            return found.end()
        before = found.end(1)
        return Member(decoded(key), before, before > at, found.start(2), found.end())


def end_of_separators(text: bytes, at: int) -> int:
    """The offset of the first byte from `at` on that is neither white space nor a comma."""
    return _END_OF_SEPARATORS.match(text, at).end()  # type: ignore[union-attr]  # matches anywhere, if only nothing


def end_of_value(text: bytes, at: int) -> int:
    """The offset behind the value that begins at `at`."""
    found = _VALUE.match(text, at)
    if found is not None:
        return found.end()
    depth, at = 1, at + 1
    while depth:
        bracket = _TO_BRACKET.match(text, at)
        assert bracket is not None, "the text is valid: its brackets close"
        depth += 1 if bracket.group(1) in _OPENING else -1
        at = bracket.end()
    return at


def decoded(quoted: bytes) -> str:
    """The text of a JSON string, given with its quotes."""
    return msgspec.json.decode(quoted, type=str) if b"\\" in quoted else quoted[1:-1].decode()
