"""What looks at 32 bytes at once: compiled it says the same as in plain Python, which refuses to look behind an end."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.native.vectors import WIDTH, ascii_bytes, copy_bytes, plain_bytes, same_bytes

# Plain ones mostly, so that what ends a run stands anywhere in it.
SOME_BYTES = st.binary(min_size=2 * WIDTH, max_size=2 * WIDTH) | st.lists(
    st.sampled_from([*b"abcdefghij klmno~\x7f\x80\xff" * 3, *b'"\\\x00\x1f']), min_size=2 * WIDTH, max_size=2 * WIDTH
).map(bytes)


@numba.njit
def _plain(buffer: Any, at: int) -> int:
    return plain_bytes(buffer, at)


@numba.njit
def _ascii(buffer: Any, at: int) -> int:
    return ascii_bytes(buffer, at)


@numba.njit
def _same(rows: Any, row: int, buffer: Any, at: int) -> int:
    return same_bytes(rows, row, buffer, at)


@numba.njit
def _copy(buffer: Any, at: int, data: Any, to: int) -> None:
    copy_bytes(buffer, at, data, to)


COMPILED = {plain_bytes: _plain, ascii_bytes: _ascii, same_bytes: _same, copy_bytes: _copy}


@pytest.mark.parametrize("function", [plain_bytes, ascii_bytes])
@given(found=SOME_BYTES, at=st.integers(0, WIDTH))
def test_compiled_it_counts_as_many(function: Callable[..., int], found: bytes, at: int) -> None:
    buffer = np.frombuffer(found, np.uint8)
    assert COMPILED[function](buffer, at) == function(buffer, at)


@pytest.mark.parametrize(
    ("function", "ends"), [(plain_bytes, b'"\\\x00\x1f'), (ascii_bytes, b"\x80\xc3\xff")], ids=["plain", "ascii"]
)
def test_each_byte_that_ends_a_run_does_so_at_each_place_and_no_other_does(
    function: Callable[..., int], ends: bytes
) -> None:
    for place in range(WIDTH):
        for byte in ends:
            buffer = np.full(WIDTH, ord("a"), np.uint8)
            buffer[place] = byte
            assert function(buffer, 0) == COMPILED[function](buffer, 0) == place
    others = set(range(256)) - (set(range(0x20)) | set(b'"\\') if function is plain_bytes else set(range(0x80, 256)))
    for byte in others:
        buffer = np.full(WIDTH, byte, np.uint8)
        assert function(buffer, 0) == COMPILED[function](buffer, 0) == WIDTH


@given(rows=SOME_BYTES, row=st.integers(0, 1), same=st.integers(0, WIDTH), rest=SOME_BYTES, at=st.integers(0, WIDTH))
def test_compiled_it_finds_as_much_of_a_row(rows: bytes, row: int, same: int, rest: bytes, at: int) -> None:
    table = np.frombuffer(rows, np.uint8).reshape(2, WIDTH)
    buffer = np.frombuffer(rest, np.uint8).copy()
    buffer[at : at + same] = table[row, :same]
    assert same <= same_bytes(table, row, buffer, at) == _same(table, row, buffer, at)


@given(found=SOME_BYTES, at=st.integers(0, WIDTH), to=st.integers(0, WIDTH))
def test_compiled_it_copies_the_same(found: bytes, at: int, to: int) -> None:
    buffer = np.frombuffer(found, np.uint8)
    for copy in (copy_bytes, _copy):
        data = np.zeros(2 * WIDTH, np.uint8)
        copy(buffer, at, data, to)
        assert data[to : to + WIDTH].tolist() == buffer[at : at + WIDTH].tolist()
        assert not data[:to].any()
        assert not data[to + WIDTH :].any()


@pytest.mark.parametrize("at", [-1, 1, WIDTH])
def test_in_plain_python_nothing_behind_an_end_is_looked_at(at: int) -> None:
    buffer = np.zeros(WIDTH, np.uint8)
    for look in (
        lambda: plain_bytes(buffer, at),
        lambda: ascii_bytes(buffer, at),
        lambda: same_bytes(buffer.reshape(1, WIDTH), 0, buffer, at),
        lambda: copy_bytes(buffer, at, buffer, 0),
        lambda: copy_bytes(buffer, 0, buffer, at),
    ):
        with pytest.raises(IndexError):
            look()
