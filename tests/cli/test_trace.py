"""`sluice trace`: where a request is, in words and as JSON, or what it can mean that it is nowhere."""

import io
import json
import shutil
import uuid
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from sluice import disk
from sluice.log.reader import LocalSegments
from sluice.storage.v1 import log_record_pb2 as storage
from tests.support.command import InProcess, Result
from tests.support.lake_log import NOW, record, seal_on_disk, uuid7
from tests.support.lake_service import files, publish_all, started

_BODY = (
    b'{"events":[{"eventName":"a","time":1,"user":{"userID":"u1","email":"jane@example.com"}},'
    b'{"eventName":"b","time":1}]}'
)


def _id(number: int) -> str:
    return str(uuid7(NOW, number))


def _seal(data_dir: Path, *numbers: int, segment: int = 1, body: bytes = _BODY) -> Path:
    return seal_on_disk(data_dir, [record(body, number=number) for number in numbers], number=segment)


def _publish(data_dir: Path, *, archive: bool = False) -> None:
    # Its messages are not the command's output.
    with redirect_stdout(io.StringIO()):
        publish_all(started(data_dir, LocalSegments(data_dir / "log", archive=archive)))


def _trace(sluice: InProcess, data_dir: Path, request_id: str, *arguments: str) -> Result:
    return sluice("trace", request_id, "--data-dir", str(data_dir), *arguments)


def _facts(sluice: InProcess, data_dir: Path, number: int, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_trace(sluice, data_dir, _id(number), "--json", *arguments).out)
    return found


def test_while_it_waits_its_segment_and_offset_are_told(sluice: InProcess, data_dir: Path) -> None:
    path = _seal(data_dir, 1, 2)
    size = path.stat().st_size // 2

    words = _trace(sluice, data_dir, _id(2))
    facts = _facts(sluice, data_dir, 2)

    assert (words.code, words.err) == (0, "")
    for told in (
        "2026-01-31T07:30:00.000000+00:00 by sdk, project default, key key_1",
        "events     2",
        "waits in the log: its segment is sealed, and goes to the lake next",
        path.name.partition(".")[0],
        f"offset     {size}, {size} bytes",
    ):
        assert told in words.out
    assert facts == {
        "request_id": _id(2),
        "state": "sealed",
        "received_at": "2026-01-31T07:30:00.000000+00:00",
        "source": "sdk",
        "project": "default",
        "key_id": "key_1",
        "events": 2,
        "log": [
            {
                "state": "sealed",
                "segment": path.name.partition(".")[0],
                "file": str(path),
                "offset": size,
                "bytes": size,
                "locked": False,
                "reason": None,
                "detail": None,
            }
        ],
        "lake": [],
        "refused": None,
        "unreadable": [],
    }


def test_once_published_its_file_and_rows_and_the_files_segments_are_told(sluice: InProcess, data_dir: Path) -> None:
    segments = [_seal(data_dir, 1, 2, segment=1), _seal(data_dir, 3, segment=2)]
    _publish(data_dir)
    [path] = files(data_dir)

    words = _trace(sluice, data_dir, _id(2))
    facts = _facts(sluice, data_dir, 2)

    assert (words.code, words.err) == (0, "")
    assert "state      in the lake\n" in words.out
    assert f"file       {path}\n" in words.out
    assert "rows       2 of 6, from row 2 on, in row group 0\n" in words.out
    assert (facts["state"], facts["events"], facts["log"]) == ("published", 2, [])
    assert facts["lake"] == [
        {
            "file": str(path),
            "rows": 2,
            "first_row": 2,
            "row_groups": [0],
            "file_rows": 6,
            "schema_version": 1,
            "segments": [
                {"id": segment.name.partition(".")[0], "records": records}
                for segment, records in zip(segments, (2, 1), strict=True)
            ],
        }
    ]


def test_the_query_that_it_shows_finds_the_rows(sluice: InProcess, data_dir: Path) -> None:
    _seal(data_dir, 1, 2)
    _publish(data_dir)

    [line] = [each for each in _trace(sluice, data_dir, _id(1)).out.splitlines() if each.startswith("ask ")]
    sql = line.partition('"')[2].removesuffix('"')
    rows = json.loads(sluice("query", "--format", "json", "--data-dir", str(data_dir), sql).out)

    assert [row["event_name"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize("published", [False, True])
def test_rows_are_shown_when_asked_for_masked_unless_values_are(
    sluice: InProcess, data_dir: Path, published: bool
) -> None:
    _seal(data_dir, 1)
    if published:
        _publish(data_dir)

    words = _trace(sluice, data_dir, _id(1), "--rows").out
    rows = _facts(sluice, data_dir, 1, "--rows")["rows"]
    shown = _facts(sluice, data_dir, 1, "--rows", "--show-values")["rows"]

    assert "row        0: 2026-01-31T07:30:00.000Z a" in words
    assert "email=j***@…" in words
    assert [(row["event_index"], row["event_name"], row["user_email"]) for row in rows] == [
        (0, "a", "j***@…"),
        (1, "b", None),
    ]
    assert shown[0]["user_email"] == "jane@example.com"


def test_of_very_many_rows_the_first_1000_are_shown(sluice: InProcess, data_dir: Path) -> None:
    _seal(data_dir, 1, body=b'{"events":[' + b",".join([b'{"eventName":"e","time":1}'] * 11_000) + b"]}")

    waiting = _facts(sluice, data_dir, 1, "--rows")
    _publish(data_dir)
    published = _facts(sluice, data_dir, 1, "--rows")

    for facts in (waiting, published):
        assert [row["event_index"] for row in facts["rows"]] == list(range(1000))
        assert facts["events"] == 11_000


@pytest.mark.parametrize(("locked", "told"), [(True, "is still written to"), (False, "has died")])
def test_an_open_segment_says_whether_its_writer_lives(
    sluice: InProcess, data_dir: Path, locked: bool, told: str
) -> None:
    path = _seal(data_dir, 1)
    opened = path.rename(data_dir / "log/open" / path.name.partition(".")[0])
    with disk.append_to(opened) as file:
        assert not locked or file.try_lock()

        words = _trace(sluice, data_dir, _id(1))
        facts = _facts(sluice, data_dir, 1)

    assert told in words.out
    assert (words.code, facts["state"], facts["log"][0]["locked"]) == (0, "open", locked)


def test_both_places_at_once_are_told(sluice: InProcess, data_dir: Path) -> None:
    path = _seal(data_dir, 1)
    content = path.read_bytes()
    _publish(data_dir)
    path.write_bytes(content)

    words = _trace(sluice, data_dir, _id(1))

    assert "state      in the lake; the log is about to let go of it" in words.out
    assert str(path) in words.out
    assert (words.code, _facts(sluice, data_dir, 1)["state"]) == (0, "published")


def test_the_archive_is_told_with_the_lake_and_without(sluice: InProcess, data_dir: Path) -> None:
    _seal(data_dir, 1)
    _publish(data_dir, archive=True)
    assert "the log keeps it too, because of the setting archive" in _trace(sluice, data_dir, _id(1)).out

    shutil.rmtree(data_dir / "lake")
    words = _trace(sluice, data_dir, _id(1))

    assert "was in the lake: the log's archive has it, but no file of the lake does" in words.out
    assert (words.code, _facts(sluice, data_dir, 1)["state"]) == (0, "archived")


@pytest.mark.parametrize("archive", [False, True])
def test_what_was_set_aside_is_told_with_its_reason_and_ends_with_1(
    sluice: InProcess, data_dir: Path, archive: bool
) -> None:
    _seal(data_dir, 1, body=b"{")
    _publish(data_dir, archive=archive)

    words = _trace(sluice, data_dir, _id(1), "--rows")
    facts = _facts(sluice, data_dir, 1, "--rows")

    assert words.code == 1
    assert "state      set aside, or about to be: it is no row of the lake" in words.out
    assert "reason     undecodable_body: request" in words.out
    assert (facts["state"], facts["rows"]) == ("damaged", [])
    assert str(data_dir / "log/damaged") in facts["log"][-1]["file"]


def test_a_damaged_record_that_still_waits_is_told(sluice: InProcess, data_dir: Path) -> None:
    path = _seal(data_dir, 1)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    words = _trace(sluice, data_dir, _id(1))

    assert words.code == 1
    assert "reason     broken_payload: the payload's checksum doesn't fit" in words.out
    assert "received" not in words.out


@pytest.mark.parametrize("set_aside", [False, True])
def test_of_a_record_whose_length_is_damaged_no_length_is_told(
    sluice: InProcess, data_dir: Path, set_aside: bool
) -> None:
    path = _seal(data_dir, 1, 2)
    offset = path.stat().st_size // 2
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    if set_aside:
        _publish(data_dir)

    words = _trace(sluice, data_dir, _id(2))
    [in_log] = _facts(sluice, data_dir, 2)["log"]

    assert words.code == 1
    assert f"offset     {offset}, of unknown length: what says it is damaged\n" in words.out
    assert "reason     broken_length: " in words.out
    assert (in_log["offset"], in_log["bytes"], in_log["reason"]) == (offset, None, "broken_length")


def test_a_copy_in_the_lake_is_told(sluice: InProcess, data_dir: Path) -> None:
    _seal(data_dir, 1)
    _publish(data_dir)
    [path] = files(data_dir)
    shutil.copy(path, path.with_name("copy.parquet"))

    assert "state      in the lake 2 times" in _trace(sluice, data_dir, _id(1)).out


def test_a_request_that_a_wrong_clock_put_elsewhere_is_found_by_looking_at_everything(
    sluice: InProcess, data_dir: Path
) -> None:
    # Received in an hour that is not that of its id.
    seal_on_disk(data_dir, [record(_BODY, number=1)], at=NOW + 86_400)
    waiting = _trace(sluice, data_dir, _id(1))
    _publish(data_dir)
    published = _trace(sluice, data_dir, _id(1))

    for result in (waiting, published):
        assert result.code == 0
        assert result.err == "not in the hours about its id; looking at everything\n"


def test_a_request_that_is_nowhere_is_1_and_says_what_that_can_mean(sluice: InProcess, data_dir: Path) -> None:
    _seal(data_dir, 1)

    words = _trace(sluice, data_dir, _id(2))
    facts = _trace(sluice, data_dir, _id(2), "--json")

    assert (words.code, words.out) == (1, "")
    assert f"error: request {_id(2)} is neither in the log nor in the lake of the data folder {data_dir}." in words.err
    for told in ("it was refused", "it held no events", "another data folder", "moved out of the lake"):
        assert told in words.err
    assert (facts.code, json.loads(facts.out)["state"]) == (1, "not_found")


def test_an_id_of_envoys_own_is_1_and_says_so(sluice: InProcess, data_dir: Path) -> None:
    envoys = str(uuid.UUID("1f1ce9b4-9a4f-4b6e-8d5c-0c6a3c7d2b11"))

    words = _trace(sluice, data_dir, envoys)
    facts = json.loads(_trace(sluice, data_dir, envoys, "--json").out)

    assert (words.code, words.out) == (1, "")
    assert "this one is of version 4\n  hint: Envoy makes such ids for answers of its own" in words.err
    assert facts == json.loads(_trace(sluice, data_dir, _id(1), "--json").out) | {"request_id": envoys}
    assert facts["state"] == "not_found"


def test_a_file_that_cannot_be_read_is_named(sluice: InProcess, data_dir: Path) -> None:
    _seal(data_dir, 1)
    _publish(data_dir)
    strange = files(data_dir)[0].with_name("strange.parquet")
    strange.write_bytes(b"no Parquet")

    result = _trace(sluice, data_dir, _id(1))

    assert result.code == 0
    assert result.err == f"{strange}: can't be read as a file of the lake; whether it holds the request isn't known\n"
    assert _facts(sluice, data_dir, 1)["unreadable"] == [str(strange)]


@pytest.mark.parametrize("form", [_id(1).upper(), _id(1).replace("-", ""), f" {_id(1)} "])
def test_an_id_is_taken_in_any_usual_form(sluice: InProcess, data_dir: Path, form: str) -> None:
    _seal(data_dir, 1)

    assert json.loads(_trace(sluice, data_dir, form, "--json").out)["request_id"] == _id(1)


@pytest.mark.parametrize("text", ["x", "", "0198", _id(1) + "0", _id(1).replace("-", ":"), f"{{{_id(1)}}}"])
def test_a_text_that_is_no_id_is_2(sluice: InProcess, data_dir: Path, text: str) -> None:
    result = _trace(sluice, data_dir, text)

    assert result.code == 2
    assert result.err.startswith(f'error: "{text}" is no request id\n  hint: it looks like ')


@pytest.mark.parametrize("id_", ["ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000"])
def test_an_id_of_an_impossible_time_is_looked_for_everywhere(sluice: InProcess, data_dir: Path, id_: str) -> None:
    seal_on_disk(data_dir, [record(_BODY, request_id=uuid.UUID(id_).bytes)])

    assert json.loads(_trace(sluice, data_dir, id_, "--json").out)["state"] == "sealed"


def test_a_request_in_protobuf_is_told_alike(sluice: InProcess, data_dir: Path) -> None:
    seal_on_disk(
        data_dir,
        [
            record(
                b"\x0a\x06\x12\x01e",
                number=1,
                source=storage.SOURCE_GRPC,
                body_format=storage.BODY_FORMAT_LOG_EVENT_REQUEST,
            )
        ],
    )

    assert _facts(sluice, data_dir, 1)["source"] == "grpc"
