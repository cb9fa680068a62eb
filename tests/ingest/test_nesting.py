"""Nesting is counted alike in every body, whatever its strings hold."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.ingest.nesting import MAX_DEPTH, too_deep_at
from sluice.ingest.validate import LOG_EVENT, Valid


def _first_too_deep(body: bytes) -> int | None:
    """One character at a time."""
    depth = 0
    in_string = escaped = False
    for offset, byte in enumerate(body):
        if escaped:
            escaped = False
        elif in_string:
            escaped = byte == ord("\\")
            in_string = byte != ord('"')
        elif byte == ord('"'):
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return offset
        elif byte in b"]}":
            depth -= 1
    return None


_texts = st.text('[]{}"\\a,é\n', max_size=80)
_pieces = st.one_of(
    _texts.map(json.dumps),
    st.tuples(st.sampled_from(["[", '{"a":']), st.integers(1, 700)).map(lambda piece: piece[0] * piece[1] + "1"),
)


def _nested(pieces: list[str]) -> bytes:
    """Pieces one behind the other as elements; what they open they close."""

    def closing(piece: str) -> str:
        if piece.startswith('"'):
            return ""
        return piece.count("[") * "]" + piece.count("{") * "}"

    return ("[" + ",".join(piece + closing(piece) for piece in pieces) + "]").encode()


@given(st.lists(_pieces, max_size=12).map(_nested))
@example(_nested(['"' + "]" * 600 + '"', "[" * 499 + "1"]))
@example(_nested(['"' + "]" * 600 + '"', "[" * 500 + "1"]))
@example(_nested(['"\\\\"', "[" * 500 + "1", '"\\""']))
def test_the_first_bracket_beyond_the_limit_is_found_in_any_body(body: bytes) -> None:
    assert too_deep_at(body) == _first_too_deep(body)


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("before", ["", '{"a":[1,"]]}"]},' * 2000])
def test_the_limit_is_exact_in_small_and_large_bodies(depth: int, before: str) -> None:
    body = f"[{before}{'[' * (depth - 1)}{']' * (depth - 1)}]".encode()

    assert (too_deep_at(body) is None) == (depth <= MAX_DEPTH)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert too_deep_at(b"[" + b"[]," * 100_000 + b"{}]") is None


def test_the_deepest_body_that_is_taken_can_be_decoded() -> None:
    deep: Any = "1"
    for _ in range((MAX_DEPTH - 3) // 2):
        deep = f'[{{"a":{deep}}}]'
    body = f'{{"events":[{{"user":{{}},"eventName":"e","time":1,"metadata":{{"a":{deep}}}}}]}}'.encode()

    assert too_deep_at(body) is None
    assert LOG_EVENT.check(body) == Valid(event_count=1)
    assert json.loads(body)


def test_ten_megabytes_of_brackets_are_looked_through_in_a_moment() -> None:
    body = b'[{"a":"x"},' * 900_000

    started = time.process_time()
    too_deep_at(body)

    assert time.process_time() - started < 2
