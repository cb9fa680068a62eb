"""What comes is thinned out above a rate, and what could not be shown is told: look by look, without a process."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sluice.cli import tailing
from sluice.cli.tailing import Tail, TailOptions
from sluice.cli.wanted import Wanted
from sluice.lake.decode import Rows
from sluice.log.reader import LocalSegments
from sluice.log.segment import hour_of
from sluice.storage.v1.log_record_pb2 import LogRecord
from tests.support.command import write_log
from tests.support.event_frames import body_of, event_frame
from tests.support.lake_log import MemoryLog, record
from tests.support.lake_service import files, publish_all, started
from tests.support.log_records import open_segment, sealed_segment


@contextmanager
def _watching(data_dir: Path, *, rate: int = 100, limit: int | None = None) -> Iterator[tuple[Tail, list[str]]]:
    """A tail whose looks are asked for one by one, and the names that it has shown."""
    shown: list[str] = []

    def show(found: Iterable[dict[str, Any]]) -> None:
        shown.extend(row["event_name"] for row in found)

    options = TailOptions(wanted=Wanted(), rate=rate, limit=limit, show_values=False)
    with closing(Tail(data_dir, options, show)) as tail:
        yield tail, shown


def test_of_the_past_only_so_many_bytes_are_held_at_once(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    decode_all = tailing.decode

    def count(records: Sequence[LogRecord]) -> Rows:
        held.append(sum(len(each.body) for each in records))
        return decode_all(records)

    monkeypatch.setattr(tailing, "decode", count)
    monkeypatch.setattr(tailing, "_BYTES_AT_ONCE", 1)
    sealed_segment(data_dir / "log", b"".join(event_frame(name) for name in ("a", "b", "c")), records=3)
    with _watching(data_dir) as (tail, shown):
        tail.show_past()

    assert shown == ["a", "b", "c"]
    assert held == [len(body_of("a"))] * 3


def test_above_the_rate_a_sample_is_shown_and_it_is_said_of_how_many(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _watching(data_dir, rate=10) as (tail, shown):
        at_s = float(int(time.monotonic()) + 1)
        tail.run_once(at_s)
        segment = open_segment(data_dir / "log", event_frame(*["e"] * 2_500, "x") + event_frame(*["y"] * 2_839))
        tail.run_once(at_s + 0.1)
        assert shown == []
        tail.run_once(at_s + 1)

        assert len(shown) == 10
        assert "showing 10 of 5,340 events/s\n" in capsys.readouterr().err
        with (data_dir / "log/open" / segment).open("ab") as file:
            file.write(event_frame("calm"))
        tail.run_once(at_s + 1.1)
        tail.run_once(at_s + 2)
        assert shown[10:] == ["calm"]
        assert "showing" not in capsys.readouterr().err


def test_whoever_falls_behind_is_told_what_was_passed_over(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.log.follow.MAX_BEHIND_BYTES", 2_000)
    with _watching(data_dir) as (tail, shown):
        open_segment(data_dir / "log", b"".join(event_frame("e") for _ in range(100)))
        tail.run_once(time.monotonic())

    assert 0 < len(shown) < 10
    assert f"passed over {100 - len(shown)} records, 0.0 MiB: more than can be read\n" in capsys.readouterr().err


def test_what_came_and_went_between_two_looks_is_told_with_its_file(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _watching(data_dir) as (tail, shown):
        began_s, began_at = time.monotonic(), time.time()
        log = MemoryLog()
        for number in range(2):
            log.seal([record(body_of("e"), number=number)] * 3, hour=hour_of(int(began_at * 1e6)), at=began_at + 1)
        [first, _] = log.waiting()
        publish_all(started(data_dir, log), now=began_at)
        tail.run_once(began_s + 1)
        assert capsys.readouterr().err == ""
        # One of the two is seen after all, before the next look at the lake.
        late = event_frame("late")
        (data_dir / "log/sealed").mkdir(parents=True)
        (data_dir / "log/sealed" / f"{first.id}.1.{len(late)}").write_bytes(late)
        for later_s in (1.1, 2.1, 3.2):
            tail.run_once(began_s + later_s)

    [told] = capsys.readouterr().err.splitlines()
    assert told == f"3 records went to the lake between two looks, and are not shown: {files(data_dir)[0]}"
    assert shown == ["late"]


def test_what_was_seen_in_the_log_is_not_told_again_when_it_is_published(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _watching(data_dir) as (tail, shown):
        began_s = time.monotonic()
        write_log(data_dir, events=2)
        tail.run_once(began_s + 0.1)
        publish_all(started(data_dir, LocalSegments(data_dir / "log")), now=time.time())
        for look in range(1, 4):
            tail.run_once(began_s + 1.2 * look)

    assert shown == ["bought", "bought"]
    assert "went to the lake" not in capsys.readouterr().err


def test_what_went_to_the_lake_as_it_began_is_not_told(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began_at = time.time()
    with _watching(data_dir) as (tail, _):
        log = MemoryLog()
        log.seal([record(body_of("e"))], hour=hour_of(int(began_at * 1e6)), at=began_at - 1)
        publish_all(started(data_dir, log), now=began_at)
        for look in range(1, 4):
            tail.run_once(time.monotonic() + 1.2 * look)

    assert "went to the lake" not in capsys.readouterr().err


def test_whoever_stood_still_is_told_so(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _watching(data_dir) as (tail, _):
        tail.run_once(time.monotonic() + 754)

    assert "stood still for 0:12:34: what came and went meanwhile is not shown\n" in capsys.readouterr().err


def test_the_end_of_the_service_and_its_next_start_are_told(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = iter([True, True, False, False, True])
    monkeypatch.setattr(Tail, "_is_running", lambda _: next(runs))
    with _watching(data_dir) as (tail, _):
        at_s = time.monotonic()
        for looks in range(4):
            tail.run_once(at_s + 2 * (looks + 1))

    told = [line for line in capsys.readouterr().err.splitlines() if "service" in line]
    assert told == ["the service has ended; waiting for one to start", "a service runs again"]
