"""Positions within valid JSON: where the members of an object and the elements of an array begin and end.

Offsets are in bytes. The text must be valid JSON in UTF-8, as validate.py has found it to be: nothing is checked here.
Nothing recurses, so nesting costs no stack.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Member", "elements", "members", "start_of_value"]

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_SPACE = re.compile(rb"[ \t\n\r]*+")
# An object's next key with its colon, or its end.
_KEY = re.compile(rb"[ \t\n\r,]*+(?:(" + _STRING + rb")[ \t\n\r]*+:[ \t\n\r]*+|\})", re.DOTALL)
_SCALAR = re.compile(rb"(?:" + _STRING + rb"|[^\[\]{},\" \t\n\r]++)", re.DOTALL)
# From within a container, past whole strings, to its next bracket.
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
_ELEMENT = re.compile(rb"[ \t\n\r,]*+")
_OPENING = b"{["


class Member(NamedTuple):
    """A member of an object: `"key": value`.

    Attributes:
        key: decoded, so that an escaped key is found by its name.
        start: offset of the key's opening quote.
        value: offset of the value.
        end: offset behind the value.
    """

    key: str
    start: int
    value: int
    end: int


def start_of_value(text: bytes, at: int = 0) -> int:
    """The offset of the first byte from `at` on that is no white space."""
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches anywhere, if only nothing


def members(text: bytes, at: int) -> Iterator[Member]:
    """All members of the object whose brace stands at `at`, in their order; none if no object stands there."""
    if text[at : at + 1] != b"{":
        return
    at += 1
    while (found := _KEY.match(text, at)) is not None and found.group(1) is not None:
        value = found.end()
        at = _end_of_value(text, value)
        yield Member(_decoded(found.group(1)), found.start(1), value, at)


def elements(text: bytes, at: int) -> Iterator[int]:
    """The offsets of all elements of the array whose bracket stands at `at`; none if no array stands there."""
    if text[at : at + 1] != b"[":
        return
    at += 1
    while text[(start := _ELEMENT.match(text, at).end())] != 0x5D:  # type: ignore[union-attr]  # matches anywhere
        yield start
        at = _end_of_value(text, start)


def _end_of_value(text: bytes, at: int) -> int:
    if text[at] not in _OPENING:
        return _SCALAR.match(text, at).end()  # type: ignore[union-attr]  # the text is valid: a scalar stands here
    depth, at = 1, at + 1
    while depth:
        bracket = _TO_BRACKET.match(text, at)
        assert bracket is not None, "the text is valid: its brackets close"
        depth += 1 if bracket.group(1) in b"{[" else -1
        at = bracket.end()
    return at


def _decoded(quoted: bytes) -> str:
    return msgspec.json.decode(quoted, type=str) if b"\\" in quoted else quoted[1:-1].decode()
