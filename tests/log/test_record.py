import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.contract import Source
from sluice.log.ports import Body, DamageReason, Entry
from sluice.log.record import FORMAT_VERSION, body_format_of, decode, encode, source_of
from sluice.storage.v1 import log_record_pb2 as pb
from tests.support.log_records import entry

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
entries = st.builds(
    entry,
    request_id=st.binary(min_size=16, max_size=16),
    body=st.binary(min_size=1, max_size=300),
    source=st.sampled_from(Source),
    body_format=st.sampled_from(Body),
    event_count=st.integers(1, 2**32 - 1),
    key_id=texts,
    project=texts,
    client_time_ms=st.none() | st.integers(-(2**63), 2**63 - 1),
    quarantined_indices=st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple),
    sdk_type=texts,
    sdk_version=texts,
    session_id=texts,
)


@given(entries, st.integers(0, 2**62))
def test_an_entry_comes_back_as_it_was(given_entry: Entry, received_at_us: int) -> None:
    record = decode(b"".join(encode(given_entry, received_at_us=received_at_us, node="node_1")))

    assert isinstance(record, pb.LogRecord)
    assert record.format_version == FORMAT_VERSION
    assert record.received_at_us == received_at_us
    assert record.node == "node_1"
    assert source_of(record) is given_entry.source
    assert body_format_of(record) is given_entry.body_format
    assert tuple(record.quarantined_indices) == given_entry.quarantined_indices
    assert (record.client_time_ms if record.HasField("client_time_ms") else None) == given_entry.client_time_ms
    for name in ("request_id", "body", "event_count", "key_id", "project", "sdk_type", "sdk_version", "session_id"):
        assert getattr(record, name) == getattr(given_entry, name), name


@given(entries)
def test_the_bytes_are_those_that_protobuf_itself_would_write(given_entry: Entry) -> None:
    payload = b"".join(encode(given_entry, received_at_us=1, node="n"))

    assert payload == pb.LogRecord.FromString(payload).SerializeToString(deterministic=True)
    assert payload.startswith(b"\x0a\x10")


def test_the_body_is_not_copied() -> None:
    given_entry = entry(b"x" * 1000)

    _, body = encode(given_entry, received_at_us=1, node="n")

    assert body is given_entry.body


def test_a_request_id_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="request_id has 15 bytes, expected 16"):
        encode(entry(request_id=bytes(15)), received_at_us=1, node="n")


_WHOLE = b"".join(encode(entry(), received_at_us=1, node="n"))


def _changed(**fields: object) -> bytes:
    record = pb.LogRecord.FromString(_WHOLE)
    for name, value in fields.items():
        setattr(record, name, value)
    return record.SerializeToString()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"", DamageReason.NOT_A_RECORD, id="empty"),
        pytest.param(b"text", DamageReason.NOT_A_RECORD, id="no message"),
        pytest.param(_WHOLE[:-1], DamageReason.NOT_A_RECORD, id="cut short"),
        pytest.param(_WHOLE[18:], DamageReason.NOT_A_RECORD, id="no request id"),
        pytest.param(_WHOLE + b"\x0a\x01x", DamageReason.NOT_A_RECORD, id="a second request id, of another length"),
        pytest.param(_changed(format_version=2), DamageReason.UNKNOWN_VERSION, id="a later version"),
        pytest.param(_changed(format_version=0), DamageReason.UNKNOWN_VERSION, id="no version"),
        pytest.param(_changed(source=9), DamageReason.UNKNOWN_VERSION, id="a later source"),
        pytest.param(_changed(body_format=9), DamageReason.UNKNOWN_VERSION, id="a later body format"),
    ],
)
def test_what_is_no_record_of_this_version_is_told_apart(payload: bytes, reason: DamageReason) -> None:
    assert decode(payload) is reason


def test_a_field_that_a_later_writer_added_does_no_harm() -> None:
    record = decode(_WHOLE + b"\xa2\x06\x03abc")  # field 100

    assert isinstance(record, pb.LogRecord)
    assert record.body == b'{"events":[]}'


@pytest.mark.parametrize("form", Body)
def test_a_body_comes_back_from_its_text_and_json_is_its_own(form: Body) -> None:
    body = b'{"events":[]}'

    assert form.from_text(form.as_text(body)) == body
    assert (form.as_text(body) == body.decode()) is form.is_json
