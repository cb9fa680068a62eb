"""`sluice log list|verify|dump`: the log as it is, unchanged."""

import json
from pathlib import Path

from tests.support.command import InProcess, write_log


def _content(data_dir: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def _damage(data_dir: Path) -> None:
    [path] = (data_dir / "log" / "sealed").iterdir()
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def test_segments_are_listed_and_nothing_is_changed(sluice: InProcess, data_dir: Path) -> None:
    sealed = write_log(data_dir, events=2)
    opened = write_log(data_dir, events=1, sealed=False)
    before = _content(data_dir)

    table = sluice("log", "list", "--data-dir", str(data_dir))
    listed = json.loads(sluice("log", "list", "--json", "--data-dir", str(data_dir)).out)

    assert [(each["state"], each["id"], each["records"]) for each in listed] == [
        ("sealed", sealed, 2),
        ("open", opened, 1),
    ]
    assert sealed in table.out
    assert _content(data_dir) == before


def test_a_sound_log_is_verified(sluice: InProcess, data_dir: Path) -> None:
    write_log(data_dir, events=2)

    result = sluice("log", "verify", "--data-dir", str(data_dir))

    assert (result.code, result.out, result.err) == (0, "", "no fault\n")


def test_what_was_set_aside_before_is_no_fault_and_is_told(sluice: InProcess, data_dir: Path) -> None:
    write_log(data_dir, events=2)
    _damage(data_dir)
    assert sluice("flush", "--data-dir", str(data_dir)).code == 1

    result = sluice("log", "verify", "--data-dir", str(data_dir))

    assert (result.code, result.err) == (0, f"no fault\n1 set aside before, in {data_dir}/log/damaged\n")


def test_a_fault_is_told_with_its_place_and_ends_with_1(sluice: InProcess, data_dir: Path) -> None:
    segment = write_log(data_dir, events=2)
    _damage(data_dir)

    table = sluice("log", "verify", "--data-dir", str(data_dir))
    result = sluice("log", "verify", "--json", "--data-dir", str(data_dir))

    assert (table.code, result.code) == (1, 1)
    [fault] = json.loads(result.out)
    assert (fault["segment"], fault["offset"], fault["reason"]) == (segment, 0, "broken_payload")
    assert "broken_payload" in table.out
    assert table.err == "1 fault\n"


def test_records_are_dumped_with_their_body_only_when_it_is_asked_for(sluice: InProcess, data_dir: Path) -> None:
    segment = write_log(data_dir, events=2)
    there = ("--data-dir", str(data_dir))

    table = sluice("log", "dump", *there)
    [without, _] = json.loads(sluice("log", "dump", "--json", *there).out)
    [first, second] = json.loads(sluice("log", "dump", "--json", "--body", "--segment", segment, *there).out)

    assert "u0" not in table.out
    assert first["request_id"] in table.out
    assert without["body"] is None
    assert [json.loads(each["body"])["events"][0]["user"]["userID"] for each in (first, second)] == ["u0", "u1"]
    assert json.loads(sluice("log", "dump", "--json", "--segment", "nope", *there).out) == []
