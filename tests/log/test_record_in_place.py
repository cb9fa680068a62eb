"""A record that is read where it stands says the same as one that is read as a whole."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.lake.decode import decode as rows_of
from sluice.log import record_in_place
from sluice.log.ports import DamageReason, Entry
from sluice.log.record import decode, encode
from sluice.log.record_in_place import RecordInPlace, decode_in_place
from sluice.storage.v1 import log_record_pb2 as pb
from tests.log.test_record import entries
from tests.support.damage import RECORDS
from tests.support.log_records import entry

_FACTS = (
    "request_id",
    "received_at_us",
    "client_time_ms",
    "key_id",
    "project",
    "source",
    "sdk_type",
    "sdk_version",
    "session_id",
    "event_count",
    "body_format",
    "body",
)


@pytest.fixture(autouse=True, scope="module")
def _small_ones_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_in_place, "_LEAST_BYTES", 0)
        yield


def _payload(given_entry: Entry) -> bytes:
    return b"".join(encode(given_entry, received_at_us=1, node="zz"))


def _assert_same(payload: bytes) -> None:
    whole, in_place = decode(payload), decode_in_place(payload)
    if isinstance(whole, DamageReason):
        assert in_place is whole
        return
    assert not isinstance(in_place, DamageReason)
    for name in _FACTS:
        assert getattr(in_place, name) == getattr(whole, name), name
    assert tuple(in_place.quarantined_indices) == tuple(whole.quarantined_indices)
    assert in_place.HasField("client_time_ms") == whole.HasField("client_time_ms")
    assert pb.LogRecord.FromString(in_place.SerializeToString()) == whole


@given(entries)
@example(entry(b"z" * 130, key_id="z\x05zz", sdk_type="z" * 40))
def test_it_says_the_same(given_entry: Entry) -> None:
    _assert_same(_payload(given_entry))


def test_its_body_is_not_copied() -> None:
    payload = _payload(entry(b"body"))

    record = decode_in_place(payload)

    assert isinstance(record, RecordInPlace)
    assert record.body.obj is payload


@given(entries, st.data())
def test_whatever_the_bytes_are(given_entry: Entry, data: st.DataObject) -> None:
    payload = bytearray(_payload(given_entry))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1))
        if data.draw(st.booleans()):
            payload[place] = data.draw(st.sampled_from([0x7A, 0x0F, 0x7B, 0x00, 0xFF]) | st.integers(0, 255))
        else:
            payload[place:place] = data.draw(st.binary(max_size=4))

    _assert_same(bytes(payload))


_HEAD = _payload(entry(b"body"))[: -len(b"body") - 2]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(_HEAD, id="no body"),
        pytest.param(_HEAD + b"\x7a\x00", id="an empty body"),
        pytest.param(_HEAD + b"\x7a\x03one" + b"\x7a\x03two", id="two bodies: the last one counts"),
        pytest.param(_HEAD + b"\x7a\x05z\x03two", id="a body that ends as one begins"),
        pytest.param(_HEAD + b"\x7a\x03one" + b"\x80\x01\x05", id="an unknown field behind the body"),
        pytest.param(_HEAD + b"\x7a\x83\x80\x80\x00one", id="a length that is written longer than it need be"),
        pytest.param(_HEAD + b"\x7a\x83\x80\x80\x80\x80\x00one", id="one that is longer than is looked at"),
        pytest.param(_HEAD + b"\x83\x01\x7a\x03one", id="a body within a group that doesn't end"),
        pytest.param(_HEAD + b"\x7a\x04one", id="a body that is cut"),
        pytest.param(_HEAD + b"\x7a", id="a length that is cut"),
        pytest.param(_HEAD + b"\x62\x02z\x80\x7a\x03one", id="a text before it that is no UTF-8"),
        pytest.param(b"\x7a\x03one" + _HEAD, id="not the first field first"),
        pytest.param(_payload(entry(b"b" * 5000, quarantined_indices=tuple(range(3000)))), id="a long head"),
    ],
)
def test_however_a_record_is_written(payload: bytes) -> None:
    _assert_same(payload)


@pytest.mark.parametrize("body_format", pb.BodyFormat.values())
@pytest.mark.parametrize("quarantined", [(), (0,)])
def test_rows_are_the_same(body_format: pb.BodyFormat.ValueType, quarantined: tuple[int, ...]) -> None:
    for number in range(len(RECORDS)):
        record = pb.LogRecord.FromString(RECORDS[number].SerializeToString())
        record.body_format = body_format
        record.quarantined_indices.extend(quarantined)
        in_place = decode_in_place(record.SerializeToString())
        if isinstance(in_place, DamageReason):
            assert body_format == pb.BODY_FORMAT_UNSPECIFIED
            continue

        whole, same = rows_of([record]), rows_of([in_place])

        assert isinstance(in_place, RecordInPlace)
        assert same.undecodable == whole.undecodable
        assert list(same.batches) == list(whole.batches)


def test_a_small_one_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_in_place, "_LEAST_BYTES", 4096)

    assert isinstance(decode_in_place(_payload(entry(b"body"))), pb.LogRecord)
