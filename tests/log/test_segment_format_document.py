"""docs/segment-format.md says what is so: its bytes are the fixture's, and every name, state and reason is in it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.framing import frame
from sluice.log.ports import Body, DamageReason
from sluice.log.reader import LocalSegments, records_in
from sluice.log.record import encode
from sluice.log.segment import State, parse_sealed
from tests.support.log_records import entry

_ROOT = Path(__file__).parents[2]
_DOCUMENT = (_ROOT / "docs/segment-format.md").read_text()
_FIXTURE = _ROOT / "tests/fixtures/segments/20260101T00-n1-019b7600-0000-7000-8000-0000000000aa.1.150"
_BODY = b'{"events":[{"user":{"userID":"u1"},"eventName":"bought","time":1767225600000}]}'


def _block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", _DOCUMENT, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_printed_bytes_are_those_of_the_fixture() -> None:
    lines = _block("hexdump").splitlines()
    printed = b"".join(bytes.fromhex(line[10:59].replace(" ", "")) for line in lines)
    content = _FIXTURE.read_bytes()

    assert printed == content
    for line in lines:
        offset = int(line[:8], 16)
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in content[offset : offset + 16])
        assert line.endswith(f"|{text}|")


def test_the_table_of_offsets_fits_the_bytes() -> None:
    content = _FIXTURE.read_bytes()
    table = _DOCUMENT.partition("## A segment to look at")[2].partition("## Reading it")[0]
    rows = re.findall(r"^\| (\d+) \| (`[^|]+`) \|", table, re.MULTILINE)

    assert len(rows) == 15
    for offset, cell in rows:
        first, _, last = cell.replace("`", "").partition(" … ")
        start = bytes.fromhex(first)
        assert content[int(offset) :].startswith(start), offset
        assert not last or bytes.fromhex(last) in content[int(offset) :], offset


def test_version_1_is_read_and_is_still_what_is_written() -> None:
    sealed = parse_sealed(_FIXTURE.name)
    content = _FIXTURE.read_bytes()
    ((offset, record),) = records_in(content, sealed=sealed)
    given = entry(
        _BODY,
        request_id=record.request_id,
        body_format=Body.JSON,
        key_id="k1",
        project="p",
        client_time_ms=1_767_225_600_000,
    )

    assert offset == 0
    assert record.body == _BODY
    assert frame(b"".join(encode(given, received_at_us=1_767_225_600_000_000, node="n1"))) == content


def test_every_segment_in_the_fixtures_is_read_without_damage(tmp_path: Path) -> None:
    (tmp_path / "sealed").symlink_to(_FIXTURE.parent)
    segments = LocalSegments(tmp_path)

    assert segments.waiting()
    for segment in segments.waiting():
        assert [type(part) for part in segments.read(segment)] == [tuple] * segment.records


def test_the_example_runs_as_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _block("python")], cwd=_ROOT, capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout == f"1767225600000000 {_BODY.decode()}\n"


@pytest.mark.parametrize("word", [*(reason.value for reason in DamageReason), *(f"{state.value}/" for state in State)])
def test_every_reason_and_state_is_explained(word: str) -> None:
    assert f"`{word}" in _DOCUMENT
