import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.lake.value import is_held, number_in_text

_NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(_NUMBERS)
@example("9007199254740993")
@example("5e-324")
@example("4.9e-324")
@example("-0.0")
@example("0e999999999999999999999")
@example("1e-999999999999999999999")
def test_a_number_is_held_if_the_shortest_text_of_its_double_has_its_value(text: str) -> None:
    number = float(text)
    with localcontext() as context:
        context.prec = 2000
        mantissa, _, exponent = text.lower().partition("e")
        exact = Decimal(mantissa).scaleb(max(-1000, min(1000, int(exponent or 0))))
        expected = math.isfinite(number) and Decimal(repr(number)) == exact

    assert is_held(text, number) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_an_sdk_prints_of_a_double_is_held(number: float) -> None:
    assert is_held(repr(number), number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        ("-0.5e3", -500.0),
        ("9007199254740993", 9007199254740992.0),
        ("", None),
        (" 12", None),
        ("12\n", None),
        ("+12", None),
        ("012", None),
        (".5", None),
        ("5.", None),
        ("1e400", None),
        ("NaN", None),
        ("Infinity", None),
        ("1_000", None),
        ("١٢", None),
        ("0x10", None),
    ],
)
def test_text_is_a_number_only_if_it_is_a_finite_json_number(text: str, number: float | None) -> None:
    assert number_in_text(text) == number
