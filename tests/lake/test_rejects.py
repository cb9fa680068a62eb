"""Refused requests become rows of the table rejects, each exactly once, whatever step the lake writer dies at."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from sluice import disk
from sluice.framing import frame
from sluice.lake import query
from sluice.lake.schema import REJECTS
from sluice.lake.writer import LakeWriter
from sluice.lake.written_tables import rejects_table
from sluice.log.ids import request_id_text
from sluice.log.ports import Body
from sluice.log.refused import RefusedEntry, RefusedSegments, RejectReason, encode_refused, refused_log
from tests.support.lake_service import Crash, CrashBefore, config, publish_all
from tests.support.log_records import refused_entry, sealed_segment

_AT_US = 1_767_225_600_000_000


def _seal(data_dir: Path, *entries: RefusedEntry) -> None:
    frames = [frame(b"".join(encode_refused(entry, received_at_us=_AT_US, node="n1"))) for entry in entries]
    sealed_segment(refused_log(data_dir), b"".join(frames), records=len(frames))


def _writer(data_dir: Path) -> LakeWriter:
    writer = LakeWriter(config(data_dir), rejects_table(RefusedSegments(data_dir)))
    writer.prepare()
    return writer


def _rows(data_dir: Path) -> list[dict[str, Any]]:
    with query.connect(data_dir) as connection:
        found = connection.sql("select * from rejects order by request_id")
        assert found is not None
        rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows


def test_a_refused_request_is_a_row_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    entry = refused_entry(
        '{"events":"ä"}'.encode(),
        reason=RejectReason.INVALID_EVENTS,
        errors='[{"path":"events","expected":"array","found":"string"}]',
        event_count=3,
        invalid_event_count=2,
        client_time_ms=7,
        sdk_type="py",
    )
    _seal(tmp_path, entry)
    publish_all(_writer(tmp_path))

    [row] = _rows(tmp_path)
    assert row["received_at"].timestamp() * 1e6 == _AT_US
    assert (str(row.pop("received_date")), row.pop("received_hour")) == ("2026-01-01", 0)
    assert list(row) == REJECTS.names
    del row["received_at"]
    assert row == {
        "request_id": request_id_text(entry.request_id),
        "source": "sdk",
        "project": "default",
        "key_id": "key-1",
        "reason": "INVALID_EVENTS",
        "errors": entry.errors,
        "body": '{"events":"ä"}',
        "body_bytes": 15,
        "body_sha256": hashlib.sha256(entry.body or b"").hexdigest(),
        "fault_offset": None,
        "body_format": "json",
        "event_count": 3,
        "invalid_event_count": 2,
        "client_time_ms": 7,
        "sdk_type": "py",
        "sdk_version": None,
        "session_id": None,
    }


def test_bytes_of_a_message_stand_as_base64_and_what_was_not_kept_is_null(tmp_path: Path) -> None:
    message = refused_entry(b"\xff\x00", body_format=Body.LOG_EVENT_REQUEST)
    gone = refused_entry(None, fault_offset=9, body_bytes=20)
    _seal(tmp_path, message, gone)
    publish_all(_writer(tmp_path))

    first, second = _rows(tmp_path)
    assert (first["body"], first["body_format"]) == (base64.b64encode(b"\xff\x00").decode(), "log_event_request")
    assert (second["body"], second["body_bytes"], second["fault_offset"]) == (None, 20, 9)
    assert (second["event_count"], second["invalid_event_count"]) == (None, None)


def test_a_record_whose_body_is_no_text_is_set_aside_and_the_others_are_rows(tmp_path: Path) -> None:
    _seal(tmp_path, refused_entry(b"\xff"), good := refused_entry(b"{}"))
    publish_all(_writer(tmp_path))

    assert [row["request_id"] for row in _rows(tmp_path)] == [request_id_text(good.request_id)]
    [kept] = [path for path in (refused_log(tmp_path) / "damaged").iterdir() if path.suffix != ".json"]
    assert kept.name.endswith(".undecodable_body")


def _steps_of_one_publication(scratch: Path) -> int:
    _seal(scratch, refused_entry())
    counter = CrashBefore(10**9)
    with disk.observed(counter):
        publish_all(_writer(scratch))
    return len(counter.seen)


@pytest.mark.parametrize("archive", [False, True])
def test_a_death_before_any_operation_of_publishing_leaves_each_reject_in_the_lake_once(
    tmp_path: Path, archive: bool
) -> None:
    steps = _steps_of_one_publication(tmp_path / "count")
    assert steps > 10
    for step in range(steps):
        data_dir = tmp_path / f"{step}"
        entry = refused_entry()
        _seal(data_dir, entry)
        with disk.observed(CrashBefore(step)), pytest.raises(Crash):
            publish_all(_writer(data_dir))

        writer = LakeWriter(
            config(data_dir, archive=archive), rejects_table(RefusedSegments(data_dir, archive=archive))
        )
        publish_all(writer)

        assert [row["request_id"] for row in _rows(data_dir)] == [request_id_text(entry.request_id)], step
        assert RefusedSegments(data_dir).waiting() == []
