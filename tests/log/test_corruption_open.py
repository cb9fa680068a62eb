"""An open segment of 20 records that no writer holds: cut at each length, each byte of it flipped, and more.

What follows the last whole record is cut where it can only be a write that didn't end, and its length is told. All else
may be an acknowledged record, and stays for the reader to set aside.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from sluice.log.inspect import TORN_TAIL, verify_segments
from sluice.log.ports import Damage
from sluice.log.reader import LocalSegments
from sluice.log.recovery import RecoveryReport, recover
from sluice.log.segment import Folders, new_segment_id
from tests.support.damage import (
    ALL,
    CONTENT,
    EXHAUSTIVE,
    FRAMES,
    OFFSETS,
    Mutant,
    additions,
    assert_accounted_for,
    flips,
    lies,
    lost_pages,
    rearrangements,
    truncations,
)
from tests.support.lake_log import HOUR


class _Open:
    """A log with one open segment, which is recovered again and again."""

    def __init__(self, log: Path) -> None:
        self.folders = Folders(log)
        self.folders.make()

    def recover(self, content: bytes) -> tuple[RecoveryReport, bytes, list[Any], list[Any]]:
        """What recovery reports, what it left in sealed/, what a reader finds there, and the WARNINGs."""
        path = self.folders.open / new_segment_id(hour=HOUR, node="n1")
        path.write_bytes(content)
        with structlog.testing.capture_logs() as messages:
            report = recover(self.folders.log)
        segments = LocalSegments(self.folders.log)
        left, found = b"", []
        for segment in report.sealed:
            (sealed,) = self.folders.sealed.iterdir()
            left, found = sealed.read_bytes(), list(segments.read(segment))
            sealed.unlink()
        return report, left, found, [message for message in messages if message["log_level"] == "warning"]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Open:
    # 10,000 times: what is durable when is asked elsewhere.
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    return _Open(tmp_path / "log")


def test_each_truncation_keeps_all_whole_records_and_tells_how_long_the_torn_tail_was(log: _Open) -> None:
    for mutant in truncations():
        report, left, found, warnings = log.recover(mutant.content)

        end = OFFSETS[len(mutant.kept)]
        torn_bytes = len(mutant.content) - end
        assert left == CONTENT[:end], mutant.name
        assert_accounted_for(Mutant(name=mutant.name, content=left, kept=mutant.kept), found)
        assert [message["cut_bytes"] for message in warnings] == ([torn_bytes] if torn_bytes else []), mutant.name
        assert report.cut_bytes == torn_bytes


def _flipped() -> Iterator[Mutant]:
    """Of the last record, which looks most like a torn tail, each byte in each way."""
    yield from flips(until=OFFSETS[-2]) if EXHAUSTIVE else flips(masks=(0xFF,), until=OFFSETS[-2], step=3)
    yield from flips(begin=OFFSETS[-2])


def test_each_byte_that_was_flipped_is_kept_and_nothing_is_cut_even_in_the_last_record(log: _Open) -> None:
    for mutant in _flipped():
        report, left, found, warnings = log.recover(mutant.content)

        assert left == mutant.content, mutant.name
        assert_accounted_for(mutant, found)
        assert (report.cut_bytes, warnings) == (0, []), mutant.name


@pytest.mark.parametrize(
    "mutant",
    [mutant for kind in (lies, rearrangements, lost_pages) for mutant in kind()],
    ids=lambda mutant: mutant.name,
)
def test_whole_records_are_never_cut_whatever_stands_before_them(log: _Open, mutant: Mutant) -> None:
    report, left, found, _ = log.recover(mutant.content)

    assert mutant.content.startswith(left)
    assert report.cut_bytes == len(mutant.content) - len(left)
    torn = mutant.content[len(left) :]
    assert not any(whole in torn for whole in FRAMES)
    kept = [record.body for _, record in (part for part in found if not isinstance(part, Damage))]
    assert len(set(kept)) == len(kept) >= len([number for number in mutant.kept if number in ALL])


@pytest.mark.parametrize("mutant", list(additions()), ids=lambda mutant: mutant.name)
def test_what_stands_behind_the_last_record_is_cut_where_it_is_zeros_or_too_short_and_kept_else(
    log: _Open, mutant: Mutant
) -> None:
    report, left, found, warnings = log.recover(mutant.content)

    added = mutant.content[len(CONTENT) :]
    if "another record" in mutant.name:
        assert (left, len(found), warnings) == (mutant.content, 21, [])
    elif not added.strip(b"\0") or len(added) < 12:
        assert (left, report.cut_bytes) == (CONTENT, len(added))
        assert [message["cut_bytes"] for message in warnings] == [len(added)]
    else:
        assert left == mutant.content
        assert_accounted_for(mutant, found)


@pytest.mark.parametrize("written", [13, 100, len(FRAMES[-1]) - 4])
def test_zeros_in_place_of_what_a_write_had_not_brought_to_the_disk_are_torn(log: _Open, written: int) -> None:
    tail = FRAMES[-1][:written] + bytes(len(FRAMES[-1]) - written + 4096)
    report, left, _, _ = log.recover(CONTENT[: OFFSETS[-2]] + tail)

    assert left == CONTENT[: OFFSETS[-2]]
    assert report.cut_bytes == len(tail)


def test_verify_tells_a_torn_tail_from_damage(log: _Open) -> None:
    damaged = bytearray(CONTENT)
    damaged[-1] ^= 1
    content = bytes(damaged) + FRAMES[0][:50]
    (log.folders.open / new_segment_id(hour=HOUR, node="n1")).write_bytes(content)

    faults = [(fault.offset, fault.bytes, fault.reason) for fault in verify_segments(log.folders.log)]

    assert faults == [(OFFSETS[-2], len(FRAMES[-1]), "broken_payload"), (len(CONTENT), 50, TORN_TAIL)]
