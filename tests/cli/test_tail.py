"""`sluice tail`: what the log holds and what comes, masked; what isn't shown is told."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice import disk
from sluice.contract import Source
from sluice.framing import Frame, scan
from sluice.lake.schema import EVENTS
from sluice.log.ids import new_request_id
from sluice.log.record import decode
from tests.support.command import COMMAND, InProcess, Result, write_log
from tests.support.event_frames import NOW_US, body_of, event_frame
from tests.support.lake_rows import rows
from tests.support.log_records import frame_of, open_segment, sealed_segment
from tests.support.waiting import wait_until

_LATER_US = NOW_US + 3_600_000_000


def _tail(sluice: InProcess, data_dir: Path, *arguments: str) -> Result:
    return sluice("tail", "--no-follow", "--data-dir", str(data_dir), *arguments)


def _names(result: Result) -> list[str]:
    return [line.split()[1] for line in result.out.splitlines()]


@contextmanager
def _running(*arguments: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """The real command, from when it waits for events."""
    process = subprocess.Popen(
        [COMMAND, "tail", *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        told = []
        while not told or "waiting for events" not in told[-1]:
            told.append(process.stderr.readline())
            assert told[-1], f"ended after {told}"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def test_what_the_log_holds_is_shown_without_a_service_in_the_order_of_receipt(
    sluice: InProcess, data_dir: Path
) -> None:
    # Behind the times in the ids of the segments, which are made now.
    first, second, third = (
        event_frame(name, at_us=_LATER_US + at) for at, name in enumerate(["first", "second", "third"])
    )
    open_segment(data_dir / "log", second)
    sealed_segment(data_dir / "log", first + third, records=2)

    result = _tail(sluice, data_dir)

    assert result.code == 0
    assert _names(result) == ["first", "second", "third"]
    assert result.err == f"no service runs on {data_dir}: this is what its log holds\n"


def test_json_rows_are_those_that_the_lake_will_have(sluice: InProcess, data_dir: Path) -> None:
    segment = write_log(data_dir, events=2)
    [path] = (data_dir / "log/sealed").glob(f"{segment}.*")
    records = [decode(part.payload) for part in scan(path.read_bytes()) if isinstance(part, Frame)]

    shown = [json.loads(line) for line in _tail(sluice, data_dir, "--json").out.splitlines()]

    assert [list(row) for row in shown] == [EVENTS.names] * 2
    expected = rows(records)  # type: ignore[arg-type]  # none of these records is damaged
    for row in expected:
        row |= {name: row[name].isoformat(timespec="microseconds") for name in ("received_at", "event_time")}
    assert shown == expected


def test_values_are_masked_unless_they_are_asked_for(sluice: InProcess, data_dir: Path) -> None:
    personal = {"email": "jane@example.com", "ip": "203.0.113.7", "custom": {"plan": "yearly"}}
    sealed_segment(data_dir / "log", frame_of(body_of("e", **personal), received_at_us=NOW_US), records=1)

    masked = _tail(sluice, data_dir).out + _tail(sluice, data_dir, "--json").out
    unmasked = _tail(sluice, data_dir, "--show-values").out
    [row] = [json.loads(line) for line in _tail(sluice, data_dir, "--json", "--show-values").out.splitlines()]

    assert "email=j***@… ip=*** custom=***" in masked
    for value in ("jane", "203.0", "yearly"):
        assert value not in masked
        assert value in unmasked
    assert (row["user_email"], row["user_ip"], row["user_custom"]) == (
        personal["email"],
        personal["ip"],
        '{"plan": "yearly"}',
    )


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(["--event-name", "purchase*"], ["purchase", "purchase_done"], id="a pattern"),
        pytest.param(["--event-name", "a", "--event-name", "purchase"], ["purchase", "a"], id="either of two names"),
        pytest.param(["--event-name", "PURCHASE"], [], id="case counts"),
        pytest.param(["--key", "key_2"], ["a"], id="a key"),
        pytest.param(["--project", "shop"], ["b"], id="a project"),
        pytest.param(["--source", "grpc"], ["c"], id="a door"),
        pytest.param(["--source", "grpc", "--event-name", "a"], [], id="all that is asked must fit"),
        pytest.param(["--limit", "3"], ["purchase", "viewed", "purchase_done"], id="so many"),
    ],
)
def test_only_what_is_wanted_is_shown(
    sluice: InProcess, data_dir: Path, arguments: list[str], names: list[str]
) -> None:
    content = (
        event_frame("purchase", "viewed", "purchase_done")
        + event_frame("a", key_id="key_2")
        + event_frame("b", project="shop")
        + event_frame("c", source=Source.GRPC)
    )
    sealed_segment(data_dir / "log", content, records=4)

    assert _names(_tail(sluice, data_dir, *arguments)) == names


def test_events_that_were_set_aside_are_not_shown(sluice: InProcess, data_dir: Path) -> None:
    sealed_segment(data_dir / "log", event_frame("a", "b", "a", quarantined_indices=(0,)), records=1)

    assert _names(_tail(sluice, data_dir)) == ["b", "a"]
    assert _names(_tail(sluice, data_dir, "--event-name", "a")) == ["a"]


def test_since_begins_there_and_says_how_far_the_log_goes_back(sluice: InProcess, data_dir: Path) -> None:
    now_us = time.time_ns() // 1000
    content = event_frame("old", at_us=now_us - 600_000_000) + event_frame("new", at_us=now_us - 1_000_000)
    sealed_segment(data_dir / "log", content, records=2)

    result = _tail(sluice, data_dir, "--since", "5m")

    assert _names(result) == ["new"]
    assert "the log goes back to 20" in result.err
    assert "sluice query" in result.err


def test_an_empty_log_says_where_the_events_are(sluice: InProcess, data_dir: Path) -> None:
    result = _tail(sluice, data_dir)

    assert (result.code, result.out) == (0, "")
    assert "the log is empty: all that was acknowledged is in the lake; see sluice query" in result.err
    assert not (data_dir / "log").exists()


def test_damage_and_what_cannot_be_decoded_are_told_and_the_rest_is_shown(sluice: InProcess, data_dir: Path) -> None:
    request_id = new_request_id()
    bad = frame_of(b"{", received_at_us=NOW_US, request_id=request_id)
    segment = sealed_segment(data_dir / "log", b"\xff" + event_frame("lost")[1:] + bad + event_frame("kept"), records=3)

    for wanted in ([], ["--event-name", "k*"]):
        result = _tail(sluice, data_dir, *wanted)

        assert _names(result) == ["kept"]
        assert f"damaged: segment {segment.id}, offset 0" in result.err
        assert f"can't be decoded: request {request_id.hex()[:8]}" in result.err
        assert f"offset {len(event_frame('lost'))}" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "5"], 'error: --since: "5" has no unit\n'),
        (["--since", "5m", "--from-start"], "error: --since and --from-start exclude each other\n"),
        (["--key", "secret-0123456789abcdef"], 'error: --key: "secret-0..." is a key, not the id of one\n'),
        (["--limit", "0"], "error: invalid value for '--limit'"),
        (["--source", "smtp"], "error: invalid value for '--source'"),
    ],
)
def test_wrong_usage_is_2(sluice: InProcess, data_dir: Path, arguments: list[str], message: str) -> None:
    result = _tail(sluice, data_dir, *arguments)

    assert result.code == 2
    assert result.err.startswith(message)


def test_an_id_that_no_key_has_is_told(sluice: InProcess, data_dir: Path) -> None:
    assert "no key has the id key_9: see sluice keys list\n" in _tail(sluice, data_dir, "--key", "key_9").err


def test_a_folder_that_may_not_be_read_is_told(
    sluice: InProcess, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(disk, "entries", refuse)
    result = _tail(sluice, data_dir)

    assert result.code == 1
    assert f"error: {data_dir}/" in result.err
    assert "Permission denied\n  hint: run it as the user that runs sluice up" in result.err


def test_a_request_of_very_many_events_is_shown_whole(sluice: InProcess, data_dir: Path) -> None:
    content = event_frame(*["e"] * 25_000, "last")
    sealed_segment(data_dir / "log", content, records=1)

    assert _names(_tail(sluice, data_dir, "--event-name", "last")) == ["last"]
    assert len(_names(_tail(sluice, data_dir))) == 25_001


def test_a_record_too_large_to_be_held_is_told(
    sluice: InProcess, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.log.growing.MAX_HELD_BYTES", 10_000)
    monkeypatch.setattr("sluice.log.follow._PAST_CHUNK_BYTES", 1_000)
    sealed_segment(data_dir / "log", event_frame(*["large"] * 500) + event_frame("small"), records=2)

    result = _tail(sluice, data_dir)

    assert _names(result) == ["small"]
    assert "passed over 1 records, 0.0 MiB: more than can be read\n" in result.err


def test_events_are_shown_as_they_come_until_ctrl_c(data_dir: Path) -> None:
    with _running("--data-dir", str(data_dir)) as process:
        assert process.stdout is not None
        for name in ("one", "two"):
            open_segment(data_dir / "log", event_frame(name))
            assert process.stdout.readline().split()[1] == name
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=20) == 130
        assert process.stdout.read() == ""
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_it_ends_after_as_many_events_as_were_asked_for(data_dir: Path) -> None:
    with _running("--json", "--limit", "2", "--data-dir", str(data_dir)) as process:
        open_segment(data_dir / "log", event_frame("a", "b", "c"))

        out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert [json.loads(line)["event_name"] for line in out.splitlines()] == ["a", "b"]


def test_it_ends_quietly_when_its_reader_has_had_enough_though_nothing_comes(data_dir: Path) -> None:
    reader, writer = os.pipe()
    with _running("--data-dir", str(data_dir), stdout=writer) as process:
        os.close(writer)
        os.close(reader)

        wait_until(lambda: process.poll() is not None, within_s=20, what="tail ends")
        assert process.stderr is not None
        assert process.stderr.read() == ""


# First as root, as the other one may not even be able to read Python's own files.
_AS_ANOTHER = """
import contextlib, os, sys
from sluice.cli.app import main

def tail(data_dir):
    sys.argv = ["sluice", "tail", "--no-follow", "--data-dir", data_dir]
    try:
        main()
    except SystemExit as ended:
        return ended.code

readable, unreadable = sys.argv[1:]
with contextlib.redirect_stdout(open(os.devnull, "w")):
    tail(readable)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(tail(readable), tail(unreadable))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_who_can_only_read_sees_the_events_and_one_who_cannot_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        readable, unreadable = Path(folder) / "readable", Path(folder) / "unreadable"
        for data_dir in (readable, unreadable):
            sealed_segment(data_dir / "log", event_frame("shared"), records=1)
        (unreadable / "log/sealed").chmod(0o700)
        command = [sys.executable, "-c", _AS_ANOTHER, str(readable), str(unreadable)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    [event, codes] = done.stdout.splitlines()
    assert event.split()[1] == "shared"
    assert codes == "0 1"
    assert done.stderr.endswith(
        f"error: {unreadable}/log/sealed: Permission denied\n"
        "  hint: run it as the user that runs sluice up, or as one that may read it\n"
    )
