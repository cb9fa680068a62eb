"""What becomes of an event's `value`: a number, a text, or both.

    sent                                value_number        value_string
    a number that a double holds        the number          null
    one that a double can't hold        nearest double      its exact text
    one beyond all doubles (1e400)      null                its exact text
    text that is a finite JSON number   that number         the text
    any other text                      null                the text

A double holds a number if the shortest text of the nearest double has its decimal value: 0.1, not 9007199254740993.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite

__all__ = ["is_held", "number_in_text"]

# RFC 8259, section 6.
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_EXPONENT = re.compile("[eE]")

# A decimal of 15 significant digits survives the way to a double and back (DBL_DIG); without an exponent it is far
# from the doubles' ends.
_ALWAYS_HELD_CHARACTERS = 15


def number_in_text(text: str) -> float | None:
    """The number that a text is, if it is a JSON number that a finite double is near to."""
    if not _JSON_NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if isfinite(number) else None


def is_held(text: str, number: float) -> bool:
    """Whether a double has the decimal value of the JSON number it was read from, as its own shortest text shows it.

    Args:
        text: a JSON number.
        number: `float(text)`.
    """
    if not isfinite(number):
        return False
    if "e" not in text and "E" not in text and len(text) <= _ALWAYS_HELD_CHARACTERS:
        return True
    if number == 0:
        # Decimal can't read every exponent; the nearest double is 0 also for numbers that are only near to it.
        return not re.search("[1-9]", _EXPONENT.split(text, maxsplit=1)[0])
    return Decimal(text) == Decimal(repr(number))
