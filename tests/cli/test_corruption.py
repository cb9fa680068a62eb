"""What `sluice log verify`, `flush` and `log list` tell of a damaged segment, before the lake takes it and after."""

import json
from pathlib import Path

import pytest

from sluice.log.segment import Folders, sealed_name
from tests.support.command import InProcess
from tests.support.damage import CONTENT, sealed_as


@pytest.mark.parametrize(
    ("content", "left_bytes"),
    [
        pytest.param(CONTENT[:3000] + b"\xff" + CONTENT[3001:], [1130], id="a byte that is another one"),
        pytest.param(CONTENT[:270], [0], id="all but one record is missing"),
        pytest.param(b"", [0], id="all is missing"),
        pytest.param(CONTENT + bytes(64), [64], id="zeros at the end"),
    ],
)
def test_damage_is_told_before_the_lake_takes_it_and_after(
    sluice: InProcess, data_dir: Path, content: bytes, left_bytes: list[int]
) -> None:
    folders = Folders(data_dir / "log")
    folders.make()
    segment = sealed_as()
    (folders.sealed / sealed_name(segment)).write_bytes(content)
    there = ("--data-dir", str(data_dir))

    before = sluice("log", "verify", *there)
    flushed = sluice("flush", *there)
    again = sluice("flush", *there)
    after = sluice("log", "verify", *there)
    listed = json.loads(sluice("log", "list", "--json", *there).out)

    assert (before.code, flushed.code, after.code) == (1, 1, 0)
    assert segment.id in before.out
    assert "could not be read, and are not in the lake" in flushed.err
    assert (again.code, again.err.partition(":")[0]) == (0, "1 set aside as damaged before this call")
    assert after.err == f"no fault\n1 set aside before, in {folders.damaged}\n"
    assert [(each["state"], each["id"], each["bytes"]) for each in listed] == [
        ("damaged", segment.id, size) for size in left_bytes
    ]
