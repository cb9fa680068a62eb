import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.log.ports import DamageReason, Sealed
from sluice.log.segment import (
    begun_at,
    hour_of,
    is_probe,
    new_segment_id,
    node_name,
    parse_damaged,
    parse_id,
    parse_sealed,
    probe_name,
    sealed_name,
    stretch_name,
    whole_name,
)

_ID = "20260101T00-node_1-019b7600-0000-7000-8000-000000000001"


@given(st.text(max_size=100))
def test_a_node_of_any_name_makes_ids_that_are_read_back(name: str) -> None:
    node = node_name(name)
    parsed = parse_id(new_segment_id(hour="20260101T00", node=node))

    assert parsed is not None
    assert (parsed.hour, parsed.node) == ("20260101T00", node)


def test_the_name_of_a_node_has_no_sign_that_separates() -> None:
    assert node_name("Web-1.example.com") == "web_1_example_com"
    assert node_name("") == "_"


def test_no_two_segments_have_one_id() -> None:
    assert len({new_segment_id(hour="20260101T00", node="n") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("time_us", "hour"),
    [(0, "19700101T00"), (1_767_225_599_999_999, "20251231T23"), (1_767_225_600_000_000, "20260101T00")],
)
def test_the_hour_of_a_time_is_that_of_utc(time_us: int, hour: str) -> None:
    assert hour_of(time_us) == hour


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_seal_is_read_back_from_the_name(records: int, size_bytes: int) -> None:
    sealed = Sealed(hour="20260101T00", id=_ID, records=records, size_bytes=size_bytes)

    assert parse_sealed(sealed_name(sealed)) == sealed


@pytest.mark.parametrize(
    "name",
    [
        "",
        _ID,
        f"{_ID}.1",
        f"{_ID}.01.2",
        f"{_ID}.-1.2",
        f"{_ID}.1.2.3",
        f"{_ID}.1.2\n",
        f".{_ID}.1.2",
        _ID.replace("20260101T00", "20261301T00") + ".1.2",
        _ID.replace("20260101T00", "20260101T24") + ".1.2",
        _ID.replace("-7000-", "-4000-") + ".1.2",
        _ID.replace("node_1", "node-1") + ".1.2",
        _ID.upper() + ".1.2",
    ],
)
def test_another_name_is_no_seal(name: str) -> None:
    assert parse_sealed(name) is None


def test_the_name_of_a_stretch_says_where_it_was_and_why() -> None:
    name = parse_damaged(stretch_name(_ID, 17, DamageReason.BROKEN_LENGTH))
    report = parse_damaged(stretch_name(_ID, 17, DamageReason.BROKEN_LENGTH) + ".json")

    assert name is not None
    assert report is not None
    assert (name.id.text, name.offset, name.reason, name.is_report) == (_ID, 17, DamageReason.BROKEN_LENGTH, False)
    assert report.is_report


def test_the_name_of_a_segment_set_aside_whole_keeps_its_seal() -> None:
    sealed = Sealed(hour="20260101T00", id=_ID, records=3, size_bytes=900)
    name = parse_damaged(whole_name(sealed, DamageReason.KILLS_THE_WRITER))

    assert name is not None
    assert (name.id.text, name.offset, name.reason) == (_ID, None, DamageReason.KILLS_THE_WRITER)


@pytest.mark.parametrize("name", [_ID, f"{_ID}.1.no_such_reason", "notes.txt", f"{_ID}.1.broken_length.txt"])
def test_another_name_is_no_damage(name: str) -> None:
    assert parse_damaged(name) is None


def test_a_probe_is_no_segment() -> None:
    assert is_probe(probe_name("node_1"))
    assert parse_id(probe_name("node_1")) is None
    assert not is_probe(_ID)


def test_every_name_fits_into_a_file_name() -> None:
    longest = Sealed(
        hour="20260101T00",
        id=new_segment_id(hour="20260101T00", node=node_name("n" * 300)),
        records=10**18,
        size_bytes=10**18,
    )

    assert all(len(whole_name(longest, reason) + ".json") <= 255 - len(".tmp.4194304") for reason in DamageReason)


def test_an_id_says_when_the_segment_was_begun() -> None:
    assert begun_at(_ID) == 0x019B_7600_0000 / 1000
    assert abs(begun_at(new_segment_id(hour="20260101T00", node="n1")) - time.time()) < 60
