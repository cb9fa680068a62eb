"""The log of refused requests is a log like the other: its records come back as they went in, whatever befell it."""

import asyncio
import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from sluice.contract import Source
from sluice.error_details import Reason
from sluice.framing import FIRST_BYTES, frame
from sluice.log.ids import new_request_id
from sluice.log.inspect import verify_segments
from sluice.log.ports import DamageReason
from sluice.log.reader import parts_in
from sluice.log.recovery import recover
from sluice.log.refused import (
    RefusedAppender,
    RefusedEntry,
    RefusedSegments,
    RejectReason,
    decode_refused,
    encode_refused,
    refused_log,
)
from sluice.log.segment import Folders, parse_sealed
from sluice.storage.v1.refused_record_pb2 import RefusedRecord
from tests.support.log_records import open_segment, refused_entry

_FIXTURES = Path(__file__).parents[1] / "fixtures/segments/refused"


def _payload(entry: RefusedEntry) -> bytes:
    return b"".join(encode_refused(entry, received_at_us=7, node="n1"))


def _decoded(payload: bytes) -> RefusedRecord:
    record = decode_refused(payload)
    assert isinstance(record, RefusedRecord)
    return record


def test_a_record_says_what_its_entry_said() -> None:
    entry = refused_entry(
        b'{"a":1}', source=Source.WEBHOOK, client_time_ms=5, fault_offset=3, event_count=2, invalid_event_count=1
    )

    record = _decoded(_payload(entry))

    assert _payload(entry).startswith(FIRST_BYTES + entry.request_id)
    assert (record.body, record.body_bytes) == (b'{"a":1}', 7)
    assert record.body_sha256 == hashlib.sha256(b'{"a":1}').digest()
    assert (record.reason, record.errors, record.fault_offset) == ("INVALID_REQUEST", "[]", 3)
    assert (record.event_count, record.invalid_event_count, record.client_time_ms) == (2, 1, 5)
    assert (record.received_at_us, record.node, record.key_id) == (7, "n1", "key-1")


@pytest.mark.parametrize(("body", "has"), [(None, False), (b"", True)])
def test_an_empty_body_is_told_from_none(body: bytes | None, has: bool) -> None:
    assert _decoded(_payload(refused_entry(body))).HasField("body") is has


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"format_version": 2}, DamageReason.UNKNOWN_VERSION, id="a later version"),
        pytest.param({"source": 99}, DamageReason.UNKNOWN_VERSION, id="a door of a later version"),
        pytest.param({"request_id": b"short"}, DamageReason.NOT_A_RECORD, id="no request id"),
    ],
)
def test_what_is_none_of_this_version_is_not_read(changed: dict[str, Any], reason: DamageReason) -> None:
    record = RefusedRecord.FromString(_payload(refused_entry()))
    for name, value in changed.items():
        setattr(record, name, value)

    assert decode_refused(record.SerializeToString()) is reason


def test_it_is_written_sealed_and_read_as_the_other_log(tmp_path: Path) -> None:
    entries = [refused_entry(b"one"), refused_entry(None)]

    async def write() -> None:
        log = RefusedAppender(
            refused_log(tmp_path), "n1", seal_age_s=60, seal_size_bytes=2**20, queue_bytes=2**20, min_free_bytes=0
        )
        await log.start()
        await asyncio.gather(*(log.append(entry) for entry in entries))
        await log.close()

    asyncio.run(write())

    segments = RefusedSegments(tmp_path)
    [sealed] = segments.waiting()
    found = [part[1] for part in segments.read(sealed) if isinstance(part, tuple)]
    assert [record.request_id for record in found] == [entry.request_id for entry in entries]
    assert list(verify_segments(refused_log(tmp_path), decode=decode_refused)) == []


def test_what_a_dead_writer_left_is_recovered_to_the_last_whole_record(tmp_path: Path) -> None:
    whole = frame(_payload(refused_entry(b"whole")))
    segment_id = open_segment(refused_log(tmp_path), whole + whole[:-3])

    report = recover(refused_log(tmp_path))

    assert [(sealed.id, sealed.records) for sealed in report.sealed] == [(segment_id, 1)]


def test_an_id_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        encode_refused(refused_entry(request_id=new_request_id()[:3]), received_at_us=1, node="n1")


def test_reasons_are_those_that_callers_are_told() -> None:
    told = {reason.value for reason in Reason}
    assert {reason.value for reason in RejectReason} - told == {"QUARANTINED"}


def test_the_segment_of_version_1_is_read_and_would_be_written_alike() -> None:
    path = _FIXTURES / "20260101T00-n1-019b7600-0000-7000-8000-0000000000bb.1.193"
    sealed = parse_sealed(path.name)
    [(offset, record)] = parts_in(path.read_bytes(), sealed=sealed, decode=decode_refused)  # type: ignore[misc]

    assert (offset, record.format_version, record.reason, record.body) == (0, 1, "INVALID_REQUEST", b'{"events":7}')
    entry = refused_entry(
        record.body,
        request_id=record.request_id,
        errors=record.errors,
        key_id="k1",
        project="p",
        client_time_ms=1767225600000,
    )
    content = frame(b"".join(encode_refused(entry, received_at_us=1767225600000000, node="n1")))
    assert content == path.read_bytes()


def test_its_folder_may_be_removed_when_it_is_empty_and_is_made_again(tmp_path: Path) -> None:
    folders = Folders(refused_log(tmp_path))
    folders.make()
    segments = RefusedSegments(tmp_path, archive=False)
    assert segments.waiting() == []

    shutil.rmtree(refused_log(tmp_path))
    assert segments.waiting() == []
    folders.make()

    assert segments.waiting() == []
