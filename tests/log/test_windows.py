"""A file that is read a window at a time holds the same parts as all of its bytes."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice import disk
from sluice.framing import Frame, frame, scan
from sluice.log import windows
from sluice.log.windows import parts_of
from tests.support.damage import CONTENT, Mutant, few, flips, truncations
from tests.support.log_records import frame_of

_WINDOWS = [1, 64, 1000, len(CONTENT) - 1]

bodies = st.lists(st.binary(max_size=120), max_size=8)


def _parts(content: bytes, size: int, window_bytes: int) -> Iterator[tuple[int, int, object]]:
    """Where each part begins and ends, and its payload or what it is broken by."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(windows, "_WINDOW_BYTES", window_bytes):
        path = Path(folder, "segment")
        path.write_bytes(content)
        with disk.open_read(path) as file:
            for part, buffer, base in parts_of(file, size):
                assert buffer[part.offset : part.end] == content[base + part.offset : base + part.end]
                said = part.payload if isinstance(part, Frame) else part.broken_by
                yield base + part.offset, base + part.end, said


def _at_once(content: bytes) -> list[tuple[int, int, object]]:
    return [
        (part.offset, part.end, part.payload if isinstance(part, Frame) else part.broken_by) for part in scan(content)
    ]


@given(bodies, st.data())
@example([b"", b"x" * 100], None)
def test_what_is_whole_and_what_is_damaged_is_the_same_however_large_a_window_is(
    sent: list[bytes], data: st.DataObject | None
) -> None:
    content = bytearray(b"".join(map(frame_of, sent)))
    window_bytes = 1
    if data is not None:
        window_bytes = data.draw(st.integers(1, 600), label="window_bytes")
        for _ in range(data.draw(st.integers(0, 3), label="flips") if content else 0):
            content[data.draw(st.integers(0, len(content) - 1), label="which byte")] ^= data.draw(st.integers(1, 255))
    size = len(content) if data is None else data.draw(st.integers(0, len(content)), label="size")

    assert list(_parts(bytes(content), size, window_bytes)) == _at_once(bytes(content[:size]))


@pytest.mark.parametrize("window_bytes", _WINDOWS)
@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(lambda: list(flips(masks=(0x80,)))[::17], id="flipped bytes"),
        pytest.param(lambda: list(truncations())[::17], id="truncations"),
        pytest.param(lambda: list(few()), id="zeros, garbage, lies, swaps, lost pages"),
    ],
)
def test_damage_of_a_disk_is_the_same_however_large_a_window_is(
    walk: Callable[[], list[Mutant]], window_bytes: int
) -> None:
    for mutant in walk():
        assert list(_parts(mutant.content, len(mutant.content), window_bytes)) == _at_once(mutant.content), mutant.name


def test_the_search_behind_a_broken_length_ends_where_it_would_in_all_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.framing._SEARCH_CHECKS_PER_BYTE", 1)
    whole, last = frame_of(b"x" * 1000), frame_of(b"last")
    # Each claims 418 bytes to be a frame's: more than there are behind the whole one, and less than in all.
    lies = 2 * frame(b"\n\x10" + bytes(400))[:20]
    content = whole + b"\xff" * 12 + lies + bytes(400) + last

    found = list(_parts(content, len(content), len(whole) + 10))

    assert found == _at_once(content)
    assert found[-1][0] == len(content) - len(last)


def test_a_file_that_was_cut_meanwhile_ends_where_it_was_cut() -> None:
    content = frame_of(b"one") + frame_of(b"two")

    assert list(_parts(content[:-1], len(content), 8)) == _at_once(content[:-1])


def test_no_more_is_held_than_a_window_or_a_frame() -> None:
    frames = [frame_of(bytes(size)) for size in (10, 5000, 10, 10)]
    content = b"".join(frames)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(windows, "_WINDOW_BYTES", 1000):
        path = Path(folder, "segment")
        path.write_bytes(content)
        with disk.open_read(path) as file:
            held = [len(buffer) for _, buffer, _ in parts_of(file, len(content))]

    assert max(held) == len(frames[1])
