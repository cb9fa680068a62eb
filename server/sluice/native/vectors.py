"""32 bytes at once, where a loop would take one after the other: compiled to the vectors of the processor.

Who looks at 32 bytes may look behind the end of what it reads: so there are as many behind each buffer (`PADDING`), and
each array that is written to. First the functions as plain Python, where too few of them are an IndexError; then what
numba makes of a call to each, by LLVM's instructions, on processors that put the lowest byte first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import extending, types

from sluice.native.compiled import INLINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.native.arrays import Bytes

__all__ = ["PADDING", "WIDTH", "ascii_bytes", "copy_bytes", "plain_bytes", "same_bytes"]

WIDTH: Final = 32
PADDING = bytes(WIDTH)

_QUOTE, _BACKSLASH, _FIRST_PRINTABLE, _FIRST_BEYOND_ASCII = b'"\\ \x80'

_IS_SPECIAL = np.arange(256) < _FIRST_PRINTABLE
_IS_SPECIAL[[_QUOTE, _BACKSLASH]] = True

# What stands in numba's own stubs knows none of it.
_numba: Any = extending

_VECTOR = ir.VectorType(ir.IntType(8), WIDTH)


def plain_bytes(buffer: Bytes, at: int) -> int:
    """How many bytes from `at` on, of at most 32, stand for themselves in a JSON string (RFC 8259, section 7)."""
    return _before_first(_IS_SPECIAL[_window(buffer, at)])


def ascii_bytes(buffer: Bytes, at: int) -> int:
    """How many bytes from `at` on, of at most 32, are characters by themselves in UTF-8."""
    return _before_first(_window(buffer, at) >= _FIRST_BEYOND_ASCII)


def same_bytes(rows: Bytes, row: int, buffer: Bytes, at: int) -> int:
    """How many bytes from `at` on are those of a row, whose width is 32."""
    return _before_first(rows[row] != _window(buffer, at))


def copy_bytes(buffer: Bytes, at: int, data: Bytes, to: int) -> None:
    """Copy 32 bytes."""
    _window(data, to)[:] = _window(buffer, at)


def _window(buffer: Bytes, at: int) -> Bytes:
    window = buffer[at : at + WIDTH]
    if at < 0 or len(window) < WIDTH:
        raise IndexError(f"{WIDTH} bytes at {at} of {len(buffer)}")
    return window


def _before_first(found: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int(found.argmax()) if found.any() else WIDTH


def _place(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    """The address of 32 bytes of an array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), _VECTOR.as_pointer())


def _load(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    return builder.load(_place(context, builder, array_type, array, at), align=1)


def _all(byte: int) -> Any:
    return ir.Constant(_VECTOR, [byte] * WIDTH)


def _places_before(builder: Any, found: Any) -> Any:
    bits = builder.bitcast(found, ir.IntType(WIDTH))
    return builder.zext(builder.cttz(bits, ir.Constant(ir.IntType(1), 0)), ir.IntType(64))


def _plain_bytes(_: Any, buffer: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        window = _load(context, builder, signature.args[0], *values)
        special = builder.icmp_unsigned("<", window, _all(_FIRST_PRINTABLE))
        for byte in (_QUOTE, _BACKSLASH):
            special = builder.or_(special, builder.icmp_unsigned("==", window, _all(byte)))
        return _places_before(builder, special)

    return types.int64(buffer, types.int64), generate


def _ascii_bytes(_: Any, buffer: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        window = _load(context, builder, signature.args[0], *values)
        return _places_before(builder, builder.icmp_unsigned(">=", window, _all(_FIRST_BEYOND_ASCII)))

    return types.int64(buffer, types.int64), generate


def _same_bytes(_: Any, rows: Any, row: Any, buffer: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start = builder.mul(values[1], ir.Constant(ir.IntType(64), WIDTH))
        one = _load(context, builder, signature.args[0], values[0], start)
        other = _load(context, builder, signature.args[2], *values[2:])
        return _places_before(builder, builder.icmp_unsigned("!=", one, other))

    return types.int64(rows, types.int64, buffer, types.int64), generate


def _copy_bytes(_: Any, buffer: Any, at: Any, data: Any, to: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        window = _load(context, builder, signature.args[0], *values[:2])
        builder.store(window, _place(context, builder, signature.args[2], *values[2:]), align=1)
        return context.get_dummy_value()

    return types.void(buffer, types.int64, data, types.int64), generate


_plain, _ascii, _same, _copy = map(_numba.intrinsic, (_plain_bytes, _ascii_bytes, _same_bytes, _copy_bytes))


# Numba wants functions whose arguments have the same names as above.
_numba.overload(plain_bytes, jit_options=INLINED)(lambda buffer, at: lambda buffer, at: _plain(buffer, at))
_numba.overload(ascii_bytes, jit_options=INLINED)(lambda buffer, at: lambda buffer, at: _ascii(buffer, at))
_numba.overload(same_bytes, jit_options=INLINED)(
    lambda rows, row, buffer, at: lambda rows, row, buffer, at: _same(rows, row, buffer, at)
)
_numba.overload(copy_bytes, jit_options=INLINED)(
    lambda buffer, at, data, to: lambda buffer, at, data, to: _copy(buffer, at, data, to)
)
