"""A damaged segment on its way to the lake: rows of every whole record, and the rest below log/damaged/ with reports.

`make test-corruption` walks every flip and truncation this way; else it is a part of them.
"""

import json
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from sluice.log.reader import LocalSegments
from sluice.log.segment import Folders, parse_damaged, sealed_name
from tests.support.damage import (
    CONTENT,
    EXHAUSTIVE,
    RECORDS,
    Mutant,
    few,
    flips,
    later_versions,
    sealed_as,
    truncations,
)
from tests.support.lake_service import files, in_lake, publish_all, started


def _events(numbers: tuple[int, ...]) -> list[str]:
    """The names of these records' events."""
    return sorted(f"event-{number}-{index}" for number in numbers for index in range(RECORDS[number].event_count))


def _content_set_aside(folders: Folders) -> dict[int, bytes]:
    """By offset, what lies below damaged/; each has a report that says the same of it."""
    found: dict[int, bytes] = {}
    for report in folders.damaged.glob("*.json"):
        facts = json.loads(report.read_text())
        parsed = parse_damaged(report.name)
        assert parsed is not None
        assert (facts["segment"], facts["offset"]) == (parsed.id.text, parsed.offset)
        assert facts["detail"]
        kept = report.with_name(report.name.removesuffix(".json"))
        if facts["bytes"]:
            found[facts["offset"]] = kept.read_bytes()
            kept.unlink()
            assert len(found[facts["offset"]]) == facts["bytes"]
        report.unlink()
    assert list(folders.damaged.iterdir()) == []
    return found


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(
            lambda: flips() if EXHAUSTIVE else flips(masks=(0x10,), step=53), id="bytes flipped all over the segment"
        ),
        pytest.param(lambda: truncations(step=1 if EXHAUSTIVE else 311), id="truncations"),
        pytest.param(
            lambda: (
                mutant for number, mutant in enumerate(chain(few(), later_versions())) if EXHAUSTIVE or number % 3 == 0
            ),
            id="zeros, garbage, lies, swaps, lost pages, other versions",
        ),
    ],
)
def test_rows_of_all_whole_records_are_in_the_lake_and_all_else_is_set_aside(
    walk: Callable[[], Iterator[Mutant]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many times: what is durable when is asked elsewhere.
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    folders = Folders(tmp_path / "log")
    folders.make()
    writer = started(tmp_path, LocalSegments(tmp_path / "log"))
    for mutant in walk():
        segment = sealed_as(mutant.content if mutant.name.endswith("}") else CONTENT)
        (folders.sealed / sealed_name(segment)).write_bytes(mutant.content)

        publish_all(writer)

        assert in_lake(tmp_path) == _events(mutant.kept), mutant.name
        set_aside = _content_set_aside(folders)
        assert sum(map(len, set_aside.values())) == len(mutant.content) - sum(
            len(RECORDS[number].SerializeToString()) + 16 for number in mutant.kept
        ), mutant.name
        assert all(mutant.content[offset:].startswith(data) for offset, data in set_aside.items()), mutant.name
        assert list(folders.sealed.iterdir()) == []
        for file in files(tmp_path):
            file.unlink()
