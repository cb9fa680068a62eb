"""A sealed segment of 20 records, each byte of it flipped, each length of it cut, and more that a disk may do.

Every whole record is found unaltered; all other bytes are kept as damage, and none is passed over in silence.
"""

import json
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from sluice.framing import end_of_frame
from sluice.log.inspect import OUT_OF_ORDER, UNREADABLE, WRONG_HOUR, verify_segments
from sluice.log.ports import Damage, DamageReason
from sluice.log.reader import LocalSegments, records_in
from sluice.log.segment import Folders, sealed_name, stretch_name
from tests.support.damage import (
    CONTENT,
    EXHAUSTIVE,
    FLIPS,
    FRAMES,
    Mutant,
    assert_accounted_for,
    few,
    flips,
    is_seen,
    later_versions,
    sealed_as,
    truncations,
)

_WALKS = [
    pytest.param(flips, id="each byte flipped in three ways"),
    pytest.param(truncations, id="each truncation"),
    pytest.param(lambda: chain(few(), later_versions()), id="zeros, garbage, lies, swaps, lost pages, other versions"),
]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    folders = Folders(tmp_path / "log")
    folders.make()
    # 50,000 times: what is durable when is asked elsewhere.
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    return folders


def _seal_of(mutant: Mutant) -> bytes:
    """What the segment held when it was sealed: a writer of another version sealed what is there."""
    return mutant.content if mutant.name.endswith("}") else CONTENT


@pytest.mark.parametrize("walk", _WALKS)
def test_every_whole_record_is_found_unaltered_and_all_else_is_damage(walk: Callable[[], Iterator[Mutant]]) -> None:
    for mutant in walk():
        found = list(records_in(mutant.content, sealed=sealed_as(_seal_of(mutant))))

        assert_accounted_for(mutant, found)
        assert any(isinstance(part, Damage) for part in found) == is_seen(mutant), mutant.name


@pytest.mark.parametrize(
    "walk",
    [pytest.param(lambda: flips(masks=FLIPS if EXHAUSTIVE else (0x80,)), id="each byte flipped"), *_WALKS[1:]],
)
def test_verify_finds_each_before_the_lake_does(walk: Callable[[], Iterator[Mutant]], folders: Folders) -> None:
    for mutant in walk():
        segment = sealed_as(_seal_of(mutant))
        path = folders.sealed / sealed_name(segment)
        path.write_bytes(mutant.content)

        faults = list(verify_segments(folders.log))

        assert {fault.segment for fault in faults} == {segment.id}, mutant.name
        path.unlink()


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(lambda: flips() if EXHAUSTIVE else flips(masks=(0x80,), step=7), id="bytes flipped"),
        pytest.param(lambda: truncations(step=1 if EXHAUSTIVE else 7), id="truncations"),
        *_WALKS[2:],
    ],
)
def test_what_is_set_aside_is_kept_byte_for_byte_with_a_report(
    walk: Callable[[], Iterator[Mutant]], folders: Folders
) -> None:
    segments = LocalSegments(folders.log)
    for mutant in walk():
        segment = sealed_as(_seal_of(mutant))
        path = folders.sealed / sealed_name(segment)
        path.write_bytes(mutant.content)
        damages = [part for part in segments.read(segment) if isinstance(part, Damage)]

        segments.set_aside(segment, damages)

        for damage in damages:
            kept = folders.damaged / stretch_name(segment.id, damage.offset, damage.reason)
            report = kept.with_name(f"{kept.name}.json")
            assert (kept.read_bytes() if damage.data else b"") == damage.data, mutant.name
            assert json.loads(report.read_bytes())["bytes"] == len(damage.data), mutant.name
            kept.unlink(missing_ok=True)
            report.unlink()
        assert list(folders.damaged.iterdir()) == []
        path.unlink()


def test_a_record_that_a_disk_wrote_twice_is_read_once() -> None:
    doubled = FRAMES[0] + FRAMES[0] + FRAMES[2]
    found = list(records_in(doubled, sealed=sealed_as(doubled, records=3)))

    assert [part.reason if isinstance(part, Damage) else part[0] for part in found] == [
        0,
        DamageReason.REPEATED_REQUEST,
        2 * len(FRAMES[0]),
    ]


def test_whole_records_out_of_order_or_of_another_hour_are_told_and_still_go_to_the_lake(folders: Folders) -> None:
    content = FRAMES[1] + FRAMES[0]
    segment = sealed_as(content, records=2)
    name = sealed_name(segment)
    (folders.sealed / name).write_bytes(content)
    elsewhen = name.replace("20260131T07", "20260131T08", 1)
    (folders.sealed / elsewhen).write_bytes(content)

    faults = [(fault.segment[:11], fault.offset, fault.bytes, fault.reason) for fault in verify_segments(folders.log)]

    second = (end_of_frame(content, 0), len(FRAMES[0]))
    assert faults == [
        ("20260131T07", *second, OUT_OF_ORDER),
        ("20260131T08", 0, len(FRAMES[1]), WRONG_HOUR),
        ("20260131T08", *second, OUT_OF_ORDER),
        ("20260131T08", *second, WRONG_HOUR),
    ]
    assert len(list(LocalSegments(folders.log).read(segment))) == 2


def test_a_segment_that_the_disk_does_not_give_back_is_told_and_the_others_are_verified(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, damaged = sealed_as(), sealed_as()
    for segment, content in ((bad, CONTENT), (damaged, CONTENT[:-1])):
        (folders.sealed / sealed_name(segment)).write_bytes(content)
    preadv = os.preadv

    def fails(fd: int, *arguments: object) -> int:
        if bad.id in str(Path(f"/proc/self/fd/{fd}").readlink()):
            raise OSError(5, "Input/output error")
        return preadv(fd, *arguments)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(os, "preadv", fails)
    faults = [(fault.segment, fault.reason) for fault in verify_segments(folders.log)]

    assert sorted(faults) == sorted([(bad.id, UNREADABLE), (damaged.id, "broken_payload"), (damaged.id, "missing_end")])


def test_what_the_lake_is_done_with_meanwhile_is_no_fault(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folders.sealed / sealed_name(sealed_as())
    path.write_bytes(CONTENT)
    monkeypatch.setattr("sluice.log.inspect.segment_files", _then(path.unlink))

    assert list(verify_segments(folders.log)) == []


def _then(act: Callable[[], None]) -> Callable[[Path], object]:
    from sluice.log.segment_files import segment_files  # noqa: PLC0415  the one that is replaced

    def listed(folder: Path) -> object:
        found = segment_files(folder)
        act()
        return found

    return listed
