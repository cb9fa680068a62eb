"""google.protobuf.Struct as JSON text: the one text for each value, so that equal values are equal texts.

Keys are sorted by code point, there are no spaces, UTF-8 stands unescaped; an integral double below 2^53 has no
fraction, others have their shortest form.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING

from sluice.lake.fields import UndecodableBody

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

__all__ = ["number_text", "object_text", "quoted"]

# Above it not every integer is a double, and a text without a fraction would claim more digits than are known.
_INTEGRAL_BELOW = 2.0**53

quoted = json.JSONEncoder(ensure_ascii=False).encode


def object_text(struct: Struct) -> str:
    """The JSON text of an object.

    Raises:
        UndecodableBody: it holds NaN or an infinity, which JSON can't say.
    """
    fields = struct.fields
    return "{" + ",".join([f"{quoted(key)}:{_value_text(fields[key])}" for key in sorted(fields)]) + "}"


def number_text(number: float) -> str:
    """The JSON text of a number."""
    if not isfinite(number):
        raise UndecodableBody("a number is not finite")
    if abs(number) < _INTEGRAL_BELOW and number.is_integer():
        return f"{number:.0f}"
    return repr(number)


def _value_text(value: Value) -> str:
    match value.WhichOneof("kind"):
        case "string_value":
            return quoted(value.string_value)
        case "number_value":
            return number_text(value.number_value)
        case "struct_value":
            return object_text(value.struct_value)
        case "list_value":
            return "[" + ",".join([_value_text(item) for item in value.list_value.values]) + "]"
        case "bool_value":
            return "true" if value.bool_value else "false"
        case _:  # null_value, or no kind: other languages write null so
            return "null"
