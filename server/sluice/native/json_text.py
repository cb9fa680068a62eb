"""How one JSON value is passed over, compiled: RFC 8259's grammar, refused by REFUSED wherever it isn't met.

Each function is given a buffer and a place in it, and reads on from there up to the first byte that fits no rule.
Bodies stand in the buffer with a zero byte behind each, which fits none: so nothing is taken from beyond the end of a
body, whatever it holds. What is legal but rare is refused too: deep nesting, escaped surrogates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.native.arrays import widened
from sluice.native.compiled import compiled
from sluice.native.vectors import WIDTH, plain_bytes

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes

__all__ = [
    "HEX",
    "IS_DIGIT",
    "REFUSED",
    "UNESCAPED",
    "is_false",
    "is_null",
    "is_true",
    "skip_space",
    "skip_string",
    "skip_value",
]

REFUSED = -1

# Each bit of a word says whether that level is an object.
_MAX_DEPTH = 60

QUOTE, BACKSLASH, COMMA, COLON, MINUS, DOT = (ord(character) for character in '"\\,:-.')
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = b"{}[]"
ZERO = ord("0")
_N, _T, _F, _U = b"ntfu"


def _marked(characters: bytes) -> Bytes:
    table = np.zeros(256, np.uint8)
    table[list(characters)] = 1
    return table


_IS_SPACE = _marked(b" \n\r\t")
IS_DIGIT = _marked(b"0123456789")
_IS_EXPONENT = _marked(b"eE")
_IS_SIGN = _marked(b"+-")

# What the letter behind a backslash stands for; 0: no letter that may stand there, or u.
UNESCAPED = np.zeros(256, np.uint8)
UNESCAPED[list(b'"\\/bfnrt')] = list(b'"\\/\b\f\n\r\t')

_NO_HEX = 16
HEX = np.full(256, _NO_HEX, np.uint8)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    HEX[list(_digits)] = range(16)


@compiled
def skip_space(buffer: Bytes, at: int) -> int:
    """Where the next byte stands that is no white space."""
    while _IS_SPACE[buffer[at]]:
        at += 1
    return at


@compiled
def _skip_digits(buffer: Bytes, at: int) -> int:
    while IS_DIGIT[buffer[at]]:
        at += 1
    return at


@compiled
def _skip_escape(buffer: Bytes, at: int) -> int:
    """Where an escape ends whose backslash stands before `at`."""
    if buffer[at] != _U:
        return at + 1 if UNESCAPED[buffer[at]] else REFUSED
    code = 0
    for _ in range(4):
        at += 1
        digit = widened(HEX[buffer[at]])
        if digit == _NO_HEX:
            return REFUSED
        code = code * 16 + digit
    # Which halves of characters belong together is left to the plain decoder.
    return REFUSED if 0xD800 <= code <= 0xDFFF else at + 1


@compiled
def skip_string(buffer: Bytes, at: int) -> tuple[int, bool]:
    """Where a string's closing quote stands, whose opening one stands before `at`, and whether it holds an escape."""
    escaped = False
    while True:
        plain = plain_bytes(buffer, at)
        at += plain
        if plain == WIDTH:
            continue
        if buffer[at] == QUOTE:
            return at, escaped
        if buffer[at] != BACKSLASH:
            return REFUSED, escaped
        escaped = True
        at = _skip_escape(buffer, at + 1)
        if at < 0:
            return REFUSED, escaped


@compiled
def _skip_number(buffer: Bytes, at: int) -> int:
    if buffer[at] == MINUS:
        at += 1
    end = _skip_digits(buffer, at)
    if end == at or (buffer[at] == ZERO and end > at + 1):
        return REFUSED
    if buffer[end] == DOT:
        at = end + 1
        end = _skip_digits(buffer, at)
        if end == at:
            return REFUSED
    if _IS_EXPONENT[buffer[end]]:
        at = end + 1
        if _IS_SIGN[buffer[at]]:
            at += 1
        end = _skip_digits(buffer, at)
        if end == at:
            return REFUSED
    return end


@compiled
def is_null(buffer: Bytes, at: int) -> bool:
    """Whether `null` stands there."""
    return buffer[at] == _N and buffer[at + 1] == 0x75 and buffer[at + 2] == 0x6C and buffer[at + 3] == 0x6C


@compiled
def is_true(buffer: Bytes, at: int) -> bool:
    """Whether `true` stands there."""
    return buffer[at] == _T and buffer[at + 1] == 0x72 and buffer[at + 2] == 0x75 and buffer[at + 3] == 0x65


@compiled
def is_false(buffer: Bytes, at: int) -> bool:
    """Whether `false` stands there."""
    begins = buffer[at] == _F and buffer[at + 1] == 0x61 and buffer[at + 2] == 0x6C
    return begins and buffer[at + 3] == 0x73 and buffer[at + 4] == 0x65


@compiled
def _skip_scalar(buffer: Bytes, at: int) -> int:
    if buffer[at] == QUOTE:
        end, _ = skip_string(buffer, at + 1)
        return end if end < 0 else end + 1
    if is_null(buffer, at) or is_true(buffer, at):
        return at + 4
    return at + 5 if is_false(buffer, at) else _skip_number(buffer, at)


@compiled
def _skip_key(buffer: Bytes, at: int) -> int:
    """Where a member's value begins, whose key begins at `at`."""
    if buffer[at] != QUOTE:
        return REFUSED
    at, _ = skip_string(buffer, at + 1)
    if at < 0:
        return REFUSED
    at = skip_space(buffer, at + 1)
    return skip_space(buffer, at + 1) if buffer[at] == COLON else REFUSED


@compiled
def skip_value(buffer: Bytes, at: int) -> int:
    """Where a value ends, whatever it is."""
    depth, objects = 0, 0
    while True:
        byte = buffer[at]
        if byte in (OPEN_OBJECT, OPEN_ARRAY):
            depth += 1
            if depth > _MAX_DEPTH:
                return REFUSED
            is_object = byte == OPEN_OBJECT
            objects = objects << 1 | is_object
            at = skip_space(buffer, at + 1)
            if buffer[at] != (CLOSE_OBJECT if is_object else CLOSE_ARRAY):
                if is_object:
                    at = _skip_key(buffer, at)
                    if at < 0:
                        return REFUSED
                continue
        else:
            at = _skip_scalar(buffer, at)
            if at < 0:
                return REFUSED
        # A value has ended: so may what it stands in, and what that stands in.
        while depth:
            at = skip_space(buffer, at)
            if buffer[at] == COMMA:
                at = skip_space(buffer, at + 1)
                if objects & 1:
                    at = _skip_key(buffer, at)
                    if at < 0:
                        return REFUSED
                break
            if buffer[at] != (CLOSE_OBJECT if objects & 1 else CLOSE_ARRAY):
                return REFUSED
            depth, objects, at = depth - 1, objects >> 1, at + 1
        if not depth:
            return at
