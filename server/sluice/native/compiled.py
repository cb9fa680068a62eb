"""How functions over bytes are compiled: by numba, kept in its cache, and without the GIL.

Nothing here is checked against an array's end by what is compiled: each function says what keeps it within. Run with
NUMBA_DISABLE_JIT=1 they are plain Python, which reads and writes nothing behind an end; so fuzzers and tests run them
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
from numba import types

from sluice.native.cache import folder

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BYTES", "INLINED", "INT32S", "INT64S", "ROOM", "compiled", "entry"]

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# Arrays as their types are given to `entry`: of one dimension, without gaps.
BYTES = types.Array(types.uint8, 1, "C", readonly=True)
ROOM = types.uint8[::1]
INT32S = types.int32[::1]
INT64S = types.int64[::1]


# Made at once: where it can't be, numba would go on with a folder that no sources are the name of.
_CACHE = folder()
_CACHE.mkdir(parents=True, exist_ok=True)
# Read whenever a function is compiled.
numba.config.CACHE_DIR = str(_CACHE)  # type: ignore[attr-defined]  # it is made of the environment


# All become one function: a call would hand over each array of `Found` with its shape, on the stack. None of them makes
# an array or keeps one, so numba needn't count who holds which: that took four fifths of the time.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# By LLVM: numba's own way of it would cost half a minute of compiling.
INLINED = _OPTIONS | {"forceinline": True}


def compiled(function: _Function) -> _Function:
    """A function that others of these call: compiled into them."""
    return cast("_Function", numba.njit(**INLINED)(function))


def entry(*arguments: object) -> Callable[[_Function], _Function]:
    """A function that is called from outside, for arguments of these types alone: compiled when it is imported.

    Args:
        arguments: numba's types, or values that have them.
    """
    signature = tuple(
        a if isinstance(a, types.Type) else numba.typeof(a)  # type: ignore[no-untyped-call]  # it has no types
        for a in arguments
    )
    compiles = numba.njit(signature, cache=True, **_OPTIONS)
    return cast("Callable[[_Function], _Function]", compiles)
