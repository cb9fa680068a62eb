"""A walk from frame to frame ends where a frame begins, or where the way is broken."""

import tempfile
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sluice import disk
from sluice.framing import frame
from sluice.log import frame_walk
from sluice.log.frame_walk import Walked, walk

payload_lists = st.lists(st.binary(max_size=60), max_size=12)


def _walk(content: bytes, goal: int, *, size_bytes: int | None = None) -> Walked:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "segment"
        path.write_bytes(content)
        with disk.open_read(path) as file:
            return walk(file, 0, goal=goal, size_bytes=len(content) if size_bytes is None else size_bytes)


def _ends(payloads: list[bytes]) -> list[int]:
    return list(accumulate((len(frame(payload)) for payload in payloads), initial=0))


@given(payload_lists, st.data())
def test_it_ends_at_the_first_frame_that_does_not_begin_before_the_goal(
    payloads: list[bytes], data: st.DataObject
) -> None:
    ends = _ends(payloads)
    goal = data.draw(st.integers(0, ends[-1]))

    walked = _walk(b"".join(map(frame, payloads)), goal)

    frames = bisect_left(ends, goal)
    assert walked == Walked(offset=ends[frames], frames=frames)


@given(payload_lists, st.data())
def test_a_frame_that_is_not_all_there_is_not_passed(payloads: list[bytes], data: st.DataObject) -> None:
    ends = _ends(payloads)
    cut = data.draw(st.integers(0, ends[-1]))

    walked = _walk(b"".join(map(frame, payloads))[:cut], goal=ends[-1])

    assert walked.offset == max(end for end in ends if end <= cut)
    assert not walked.is_broken


def test_a_broken_length_ends_it() -> None:
    one = frame(b"one")

    assert _walk(one + b"\xff" + one[1:] + one, goal=3 * len(one)) == Walked(offset=len(one), frames=1, is_broken=True)


def test_frames_larger_and_smaller_than_a_window_are_passed() -> None:
    payloads = [b"x" * size for size in (0, 1, frame_walk._WINDOW_BYTES - 20, frame_walk._WINDOW_BYTES * 3, 5)] * 3
    content = b"".join(map(frame, payloads))

    assert _walk(content, goal=len(content)) == Walked(offset=len(content), frames=15)
