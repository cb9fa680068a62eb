"""A segment that grows is read once, in order, whatever it looked like in between."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice import disk
from sluice.log.growing import GrowingSegment, PassedOver
from sluice.log.ports import Damage, DamageReason, Sealed
from sluice.log.record import decode
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.log_records import frame_of

_ID = "20260101T00-n1-019b7600-0000-7000-8000-0000000000aa"

bodies = st.lists(st.binary(max_size=120), max_size=8)


class _Grown:
    """A file that grows, and what was read of it."""

    def __init__(self, path: Path, segment: GrowingSegment[LogRecord], passed_over: PassedOver) -> None:
        self.path = path
        self.segment = segment
        self.passed_over = passed_over
        self.bodies: list[bytes] = []
        self.damages: list[Damage] = []

    def add(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)

    def read(self, want_bytes: int = 1 << 20, *, is_final: bool = False) -> None:
        for part in self.segment.read(want_bytes, is_final=is_final):
            if isinstance(part, Damage):
                self.damages.append(part)
            else:
                self.bodies.append(part[1].body)

    def read_to_the_end(self, want_bytes: int = 1 << 20) -> None:
        for _ in range(200):
            if not self.segment.unread_bytes():
                return
            self.read(want_bytes, is_final=True)
        raise AssertionError("reading a final segment doesn't come to its end")


@contextmanager
def _growing(content: bytes = b"", *, sealed: Sealed | None = None) -> Iterator[_Grown]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _ID
        path.write_bytes(content)
        passed_over = PassedOver()
        segment = GrowingSegment(_ID, disk.open_read(path), passed_over, decode=decode, sealed=sealed)
        try:
            yield _Grown(path, segment, passed_over)
        finally:
            segment.close()


@given(bodies, st.data())
def test_every_record_is_read_once_in_order_however_the_file_grows(sent: list[bytes], data: st.DataObject) -> None:
    content = b"".join(map(frame_of, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8), label="cuts"))
    want_bytes = data.draw(st.sampled_from([1, 64, 4096]), label="want_bytes")
    with _growing() as grown:
        for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            grown.add(content[begin:end])
            grown.read(want_bytes)
        grown.path.rename(grown.path.with_name("sealed"))
        grown.path.with_name("sealed").unlink()
        grown.read_to_the_end(want_bytes)

        assert grown.bodies == sent
        assert grown.damages == []


@given(bodies, st.data())
def test_a_flipped_bit_costs_no_other_record_however_the_file_grows(sent: list[bytes], data: st.DataObject) -> None:
    frames = [frame_of(body) for body in [*sent, b"last"]]
    hit = data.draw(st.integers(0, len(frames) - 1), label="which record")
    broken = bytearray(frames[hit])
    broken[data.draw(st.integers(0, len(broken) - 1), label="which byte")] ^= data.draw(st.integers(1, 255))
    content = b"".join([*frames[:hit], bytes(broken), *frames[hit + 1 :]])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5), label="cuts"))
    with _growing() as grown:
        for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            grown.add(content[begin:end])
            grown.read(data.draw(st.sampled_from([1, 64, 4096]), label="want_bytes"))
        grown.read_to_the_end()

        whole = [*sent, b"last"]
        del whole[hit]
        assert grown.bodies == whole
        assert sum(len(damage.data) for damage in grown.damages) == len(broken)


def test_a_record_is_read_as_soon_as_its_last_byte_is_there() -> None:
    content = frame_of(b"one")
    with _growing(content[:-1]) as grown:
        grown.read()
        assert grown.bodies == []

        grown.add(content[-1:])
        grown.read()

        assert grown.bodies == [b"one"]


@pytest.mark.parametrize("tail", [b"\0" * 40, frame_of(b"torn")[:-3], b"\1\2\3"], ids=["zeros", "cut", "no frame"])
def test_a_torn_tail_is_waited_for_and_told_when_nothing_can_follow(tail: bytes) -> None:
    with _growing(frame_of(b"one") + tail) as grown:
        for _ in range(3):
            grown.read()
        assert (grown.bodies, grown.damages) == ([b"one"], [])

        grown.read_to_the_end()

        [damage] = grown.damages
        assert (damage.offset, damage.data) == (len(frame_of(b"one")), tail)


def test_a_file_that_is_cut_is_read_no_further() -> None:
    with _growing(frame_of(b"one") + frame_of(b"refused")) as grown:
        grown.read()

        with grown.path.open("r+b") as file:
            file.truncate(len(frame_of(b"one")))
        grown.read()
        grown.read_to_the_end()

        assert grown.bodies == [b"one", b"refused"]
        assert grown.damages == []


def test_damage_amid_the_file_is_told_when_a_record_follows() -> None:
    broken = bytearray(frame_of(b"broken"))
    broken[-1] ^= 1
    with _growing(bytes(broken)) as grown:
        grown.read()
        assert grown.damages == []

        grown.add(frame_of(b"next"))
        grown.read()

        assert grown.bodies == [b"next"]
        assert [damage.reason for damage in grown.damages] == [DamageReason.BROKEN_PAYLOAD]


def test_a_record_larger_than_may_be_held_is_passed_over_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.log.growing.MAX_HELD_BYTES", 10_000)
    large = frame_of(b"x" * 20_000)
    with _growing(large[:500]) as grown:
        grown.read(100)
        grown.add(large[500:] + frame_of(b"next"))
        for _ in range(4):
            grown.read(100)

        assert grown.bodies == [b"next"]
        assert grown.damages == []
        assert grown.passed_over == PassedOver(records=1, bytes=len(large))


def test_damage_larger_than_may_be_held_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.log.growing.MAX_HELD_BYTES", 1_000)
    with _growing(b"\xff" * 5_000 + frame_of(b"next")) as grown:
        for _ in range(50):
            grown.read(100)
        assert len(grown.damages) >= 4
        assert max(len(damage.data) for damage in grown.damages) < 3_000

        grown.read_to_the_end(100)

        assert grown.bodies == [b"next"]


def test_what_stands_behind_a_seal_is_not_read() -> None:
    content = frame_of(b"one")
    sealed = Sealed(hour="20260101T00", id=_ID, records=1, size_bytes=len(content))
    with _growing(content + frame_of(b"behind"), sealed=sealed) as grown:
        grown.read_to_the_end()

        assert grown.bodies == [b"one"]


@given(bodies, st.data())
def test_what_is_passed_over_is_counted_and_the_rest_is_read(sent: list[bytes], data: st.DataObject) -> None:
    frames = list(map(frame_of, sent))
    content = b"".join(frames)
    goal = data.draw(st.integers(0, len(content)))
    with _growing(content) as grown:
        grown.segment.pass_over(goal)
        grown.read_to_the_end()

        passed = len(sent) - len(grown.bodies)
        assert grown.bodies == sent[passed:]
        assert grown.passed_over == PassedOver(records=passed, bytes=sum(map(len, frames[:passed])))
        assert sum(map(len, frames[:passed])) >= goal
        assert not passed or sum(map(len, frames[: passed - 1])) < goal


def test_what_is_passed_over_is_not_shown_even_where_the_way_is_broken() -> None:
    broken = b"\xff" + frame_of(b"broken")[1:]
    old = frame_of(b"old") + broken + frame_of(b"old too")
    with _growing(old + frame_of(b"new")) as grown:
        grown.segment.pass_over(len(old))
        grown.read_to_the_end()

        assert grown.bodies == [b"new"]
        assert grown.damages == []
