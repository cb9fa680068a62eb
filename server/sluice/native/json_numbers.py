"""How numbers of JSON are read whose value is exact without further ado, compiled. What bounds it: json_text.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.native.arrays import widened
from sluice.native.compiled import compiled
from sluice.native.json_text import DOT, IS_DIGIT, MINUS, REFUSED, ZERO

if TYPE_CHECKING:
    from sluice.native.arrays import Bytes

__all__ = ["may_be_number", "plain_integer", "short_number"]

# All integers of so many digits are held by an int64.
_MAX_DIGITS = 18

# All decimals of so few digits are held by a double: see value.is_held, of which this is the usual case.
_MAX_CHARACTERS = 15

_IS_OF_NUMBERS = IS_DIGIT.copy()
_IS_OF_NUMBERS[list(b"+-.eE")] = 1


@compiled
def _digits(buffer: Bytes, at: int, end: int) -> tuple[int, int]:
    """The number that digits are, from `at` to `end` at most, and where they end."""
    number = widened(0)
    while at < end and IS_DIGIT[buffer[at]]:
        number = number * 10 + (widened(buffer[at]) - ZERO)
        at += 1
    return number, at


@compiled
def plain_integer(buffer: Bytes, at: int) -> tuple[int, int]:
    """An integer without an exponent, and where it ends."""
    is_negative = buffer[at] == MINUS
    start = at + 1 if is_negative else at
    number, at = _digits(buffer, start, start + _MAX_DIGITS)
    if at == start or (buffer[start] == ZERO and at > start + 1) or _IS_OF_NUMBERS[buffer[at]]:
        return widened(0), REFUSED
    return (-number if is_negative else number), at


@compiled
def short_number(buffer: Bytes, at: int, end: int) -> tuple[float, bool]:
    """The number that a text is, and whether it is a short one without exponent.

    Its digits and the power of ten are held by a double each, so their quotient is the nearest double.
    """
    if end - at > _MAX_CHARACTERS:
        return 0.0, False
    is_negative = at < end and buffer[at] == MINUS
    start = at + 1 if is_negative else at
    number, at = _digits(buffer, start, end)
    if at == start or (buffer[start] == ZERO and at > start + 1):
        return 0.0, False
    power = 1.0
    if at < end and buffer[at] == DOT:
        start = at + 1
        fraction, at = _digits(buffer, start, end)
        if at == start:
            return 0.0, False
        for _ in range(at - start):
            number, power = number * 10, power * 10.0
        number += fraction
    quotient = float(number) / power
    return (-quotient if is_negative else quotient), at == end


@compiled
def may_be_number(buffer: Bytes, at: int, end: int) -> bool:
    """Whether a text holds nothing that no number has."""
    for place in range(at, end):
        if not _IS_OF_NUMBERS[buffer[place]]:
            return False
    return end > at
