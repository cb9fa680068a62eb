"""The writer as a process, on segments as workers leave them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sluice import disk
from sluice.lake import turns
from sluice.lake.writer import MAX_DEATHS, main
from sluice.log.reader import LocalSegments
from tests.support.lake_log import record, seal_on_disk
from tests.support.lake_service import Crash, CrashBefore, config, files, in_lake, publish_all, started
from tests.support.waiting import wait_until

_LIMIT_S = 30


def _body(*names: str) -> bytes:
    return ('{"events":[' + ",".join(f'{{"eventName":"{name}","time":1}}' for name in names) + "]}").encode()


def _seal(data_dir: Path, name: str, number: int, *, at: float | None = None) -> Path:
    return seal_on_disk(data_dir, [record(_body(name), number=number)], number=number, at=at or time.time())


@contextmanager
def _process(data_dir: Path, **values: Any) -> Iterator[subprocess.Popen[bytes]]:
    argument = json.dumps(asdict(config(data_dir, **values)))
    fds = [fd] if (fd := values.get("lifeline_fd")) is not None else []
    writer = subprocess.Popen([sys.executable, "-m", "sluice.lake.writer", argument], pass_fds=fds)
    try:
        # Its first act, when it already listens to signals.
        wait_until(lambda: writer.poll() is not None or (data_dir / "lake/.staging").exists(), within_s=_LIMIT_S)
        yield writer
    finally:
        writer.kill()
        writer.wait()


def test_sigterm_publishes_all_that_is_sealed_and_ends_with_0(tmp_path: Path) -> None:
    _seal(tmp_path, "old", 1, at=time.time() - 7200)
    with _process(tmp_path) as writer:
        _seal(tmp_path, "young", 2)
        writer.send_signal(signal.SIGTERM)

        assert writer.wait(_LIMIT_S) == 0
    assert in_lake(tmp_path) == ["old", "young"]
    assert disk.entries(tmp_path / "log/sealed") == []


def test_a_drain_ends_with_1_after_three_tries_however_long_the_outage_was_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[bool] = []

    class Failing:
        leaves_some = True

        def run_once(self, _now: float, *, at_once: bool) -> turns.Outcome:
            tries.append(at_once)
            if len(tries) == 5:
                signal.raise_signal(signal.SIGTERM)
            return turns.Outcome.FAILED

    monkeypatch.setattr(turns, "_FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(turns, "_LAST_RETRY_S", 0.002)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    loop = turns.Loop([Failing()], None)
    try:
        loop.listen()
        assert loop.run() == 1
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)

    assert tries == [False] * 5 + [True] * 3


def test_a_drain_ends_with_1_where_an_hour_cannot_be_read(tmp_path: Path) -> None:
    _seal(tmp_path, "a", 1)
    hour = time.strftime("received_date=%Y-%m-%d/received_hour=%H", time.gmtime())
    (tmp_path / "lake/events" / hour).mkdir(parents=True)
    (tmp_path / "lake/events" / hour / "broken.parquet").write_bytes(b"no Parquet")
    with _process(tmp_path) as writer:
        writer.send_signal(signal.SIGTERM)

        assert writer.wait(_LIMIT_S) == 1


@pytest.mark.parametrize("deaths", [0, 1])
def test_a_writer_after_one_that_died_of_a_segment_says_that_it_has_no_compiled_decoder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], deaths: int
) -> None:
    segment = _seal(tmp_path, "a", 1)
    with _process(tmp_path, blamed={segment.name.partition(".")[0]: 1} if deaths else {}) as writer:
        writer.send_signal(signal.SIGTERM)

        assert writer.wait(_LIMIT_S) == 0
    assert capfd.readouterr().err.count("no compiled decoder until the service is started anew") == deaths
    assert in_lake(tmp_path) == ["a"]


def test_sigusr1_publishes_what_is_sealed_and_the_writer_goes_on(tmp_path: Path) -> None:
    with _process(tmp_path) as writer:
        _seal(tmp_path, "young", 1)
        writer.send_signal(signal.SIGUSR1)

        wait_until(lambda: not disk.entries(tmp_path / "log/sealed"))
        assert writer.poll() is None
    assert in_lake(tmp_path) == ["young"]


def test_an_old_segment_is_published_without_being_asked_for(tmp_path: Path) -> None:
    with _process(tmp_path, lake_age_s=0.1):
        _seal(tmp_path, "a", 1)

        wait_until(lambda: not disk.entries(tmp_path / "log/sealed"))
    assert in_lake(tmp_path) == ["a"]


def test_the_writer_ends_with_its_supervisor(tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        with _process(tmp_path, lifeline_fd=read) as writer:
            os.close(write)

            assert writer.wait(_LIMIT_S) == 0
    finally:
        os.close(read)


@pytest.mark.parametrize(
    ("limits", "is_due"),
    [
        ({}, False),
        ({"max_log_bytes": 1900}, True),
        ({"max_log_bytes": 10**6}, False),
        ({"min_free_bytes": 10**6}, False),
        ({"min_free_bytes": 2**61}, True),
    ],
)
def test_what_fills_the_log_is_due_before_its_age(tmp_path: Path, limits: dict[str, int], is_due: bool) -> None:
    _seal(tmp_path, "a" * 950, 1)
    writer = started(tmp_path, LocalSegments(tmp_path / "log"), **limits)

    assert writer.run_once(time.time()) is (turns.Outcome.PUBLISHED if is_due else turns.Outcome.IDLE)


@pytest.mark.parametrize("name", ["", "log"])
def test_the_writer_works_in_no_other_folder_than_its_supervisor(tmp_path: Path, name: str) -> None:
    own, data = tmp_path / "own", tmp_path / "data"
    own.mkdir()
    segment = _seal(data, "another service's", 1)
    facts = own.stat()
    with _process(data, places=[(str(data / name), facts.st_dev, facts.st_ino)]) as writer:
        assert writer.wait(_LIMIT_S) == 1

    assert segment.exists()
    assert not (data / "lake").exists()


def test_an_archived_segment_is_kept(tmp_path: Path) -> None:
    segment = _seal(tmp_path, "a", 1)
    with _process(tmp_path, archive=True) as writer:
        writer.send_signal(signal.SIGTERM)
        assert writer.wait(_LIMIT_S) == 0

    assert (tmp_path / "log/archive" / segment.name).exists()
    assert in_lake(tmp_path) == ["a"]


def test_what_a_killed_writer_left_in_staging_is_removed(tmp_path: Path) -> None:
    staging = tmp_path / "lake/.staging"
    staging.mkdir(parents=True)
    (staging / "x.parquet").write_bytes(b"half")
    (staging / "current.json").write_text('["x"]')

    started(tmp_path, LocalSegments(tmp_path / "log"))

    assert disk.entries(staging) == []


def test_a_crash_before_any_change_on_disk_leaves_each_event_of_real_segments_once(tmp_path: Path) -> None:
    def sealed(data_dir: Path) -> LocalSegments:
        for number, name in enumerate("abc", 1):
            _seal(data_dir, name, number, at=1769844600)
        return LocalSegments(data_dir / "log")

    whole, log = CrashBefore(-1), sealed(tmp_path / "whole")
    with disk.observed(whole):
        publish_all(started(tmp_path / "whole", log))
    # Those of the file's own content were tried with a log in memory.
    numbers = [number for number, operation in enumerate(whole.seen) if operation.verb != "write"]

    for number in numbers:
        data_dir = tmp_path / str(number)
        log = sealed(data_dir)
        with disk.observed(CrashBefore(number)), pytest.raises(Crash):
            publish_all(started(data_dir, log))
        publish_all(started(data_dir, log))

        assert in_lake(data_dir) == ["a", "b", "c"], f"after a crash before {whole.seen[number].verb}"
        assert log.waiting() == []


def test_damage_in_a_real_segment_is_set_aside_and_the_rest_is_published(tmp_path: Path) -> None:
    records = [record(_body(name), number=number) for number, name in enumerate("abc")]
    path = seal_on_disk(tmp_path, records)
    content = bytearray(path.read_bytes())
    content[content.index(b'"b"') + 1] ^= 1
    path.write_bytes(content)

    publish_all(started(tmp_path, LocalSegments(tmp_path / "log")))

    assert in_lake(tmp_path) == ["a", "c"]
    assert any("broken_payload" in name for name in disk.entries(tmp_path / "log/damaged"))
    assert len(files(tmp_path)) == 1


def test_a_byte_that_is_not_utf_8_never_reaches_a_file(tmp_path: Path) -> None:
    planted = b'{"events":[{"eventName":"bad","time":1,"metadata":{"k":"\xc3\x28"},"user":{"custom":{"k":"\xff"}}}]}'
    seal_on_disk(tmp_path, [record(_body("a"), number=1), record(planted, number=2)])

    publish_all(started(tmp_path, LocalSegments(tmp_path / "log")))

    assert in_lake(tmp_path) == ["a"]
    (kept,) = [p for p in (tmp_path / "log/damaged").iterdir() if p.suffix != ".json"]
    assert planted in kept.read_bytes()


def test_a_segment_that_was_set_aside_whole_can_be_given_back_by_its_name(tmp_path: Path) -> None:
    segment = _seal(tmp_path, "a", 1)
    log = LocalSegments(tmp_path / "log")
    publish_all(started(tmp_path, log, blamed={segment.name.partition(".")[0]: MAX_DEATHS}))
    kept = tmp_path / "log/damaged" / f"{segment.name}.kills_the_writer"
    assert in_lake(tmp_path) == []

    kept.rename(segment)
    publish_all(started(tmp_path, log))

    assert in_lake(tmp_path) == ["a"]
    assert log.waiting() == []


@pytest.mark.parametrize("arguments", [[], ["not json"], ['{"data_dir": 1}'], ["{}", "{}"]])
def test_wrong_arguments_are_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
