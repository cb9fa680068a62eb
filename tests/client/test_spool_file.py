from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.client.spool_file import FORMAT_VERSION, Found, UnknownVersion, frame_of, parse
from sluice.framing import frame
from sluice.storage.v1 import spool_record_pb2 as pb

keys = st.sampled_from([bytes([number]) * 16 for number in range(3)])
records = st.lists(st.tuples(keys, st.lists(st.binary(max_size=20), min_size=1, max_size=3)), max_size=6)


def _content(logged: list[tuple[bytes, list[bytes]]]) -> bytes:
    return b"".join(part for key, events in logged for part in frame_of(key, events))


def _batches(logged: list[tuple[bytes, list[bytes]]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for key, events in logged:
        found.setdefault(key, []).extend(events)
    return found


@given(records)
def test_what_was_logged_is_found_under_its_keys(logged: list[tuple[bytes, list[bytes]]]) -> None:
    assert parse(_content(logged)) == Found(batches=_batches(logged), torn_bytes=0, damaged_bytes=0)


@given(records, st.data())
def test_a_file_cut_anywhere_yields_every_call_that_is_whole(
    logged: list[tuple[bytes, list[bytes]]], data: st.DataObject
) -> None:
    ends = [0, *accumulate(len(_content([call])) for call in logged)]
    cut = data.draw(st.integers(0, ends[-1]), label="cut")
    whole = [end for end in ends if end <= cut]

    found = parse(_content(logged)[:cut])

    assert found == Found(batches=_batches(logged[: len(whole) - 1]), torn_bytes=cut - whole[-1], damaged_bytes=0)


@given(records.filter(bool), st.integers(1, 5000))
def test_zeros_at_the_end_are_a_torn_end(logged: list[tuple[bytes, list[bytes]]], zeros: int) -> None:
    found = parse(_content(logged) + bytes(zeros))

    assert found == Found(batches=_batches(logged), torn_bytes=zeros, damaged_bytes=0)


@given(records.filter(lambda logged: len(logged) > 1), st.data())
def test_damage_costs_one_call_and_is_told(logged: list[tuple[bytes, list[bytes]]], data: st.DataObject) -> None:
    content = bytearray(_content(logged))
    hit = data.draw(st.integers(0, len(logged) - 2), label="call")
    begins = len(_content(logged[:hit]))
    position = begins + data.draw(st.integers(0, len(_content([logged[hit]])) - 1), label="position")
    content[position] ^= data.draw(st.integers(1, 255), label="flip")

    found = parse(bytes(content))

    assert found == Found(
        batches=_batches(logged[:hit] + logged[hit + 1 :]),
        torn_bytes=0,
        damaged_bytes=len(_content([logged[hit]])),
    )


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange_to_read(content: bytes) -> None:
    found = parse(content)

    assert found.torn_bytes + found.damaged_bytes == len(content)


def test_a_later_version_is_not_read() -> None:
    record = pb.SpoolRecord(idempotency_key=bytes(16), format_version=FORMAT_VERSION + 1)

    with pytest.raises(UnknownVersion):
        parse(frame(record.SerializeToString()))


def test_a_record_begins_as_every_reader_of_frames_expects() -> None:
    assert b"".join(frame_of(b"k" * 16, [b"e"]))[12:].startswith(b"\x0a\x10" + b"k" * 16 + b"\x10\x01")
