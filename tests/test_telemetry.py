import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from sluice import telemetry


@pytest.fixture(autouse=True)
def _messages_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_each_message_says_which_process_speaks_and_of_what_room(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(role="worker-0", json=True)
    messages = telemetry.messages_of("log")

    messages.info("segment recovered", records=3)
    thread = threading.Thread(target=messages.error, args=("segment vanished",))
    thread.start()
    thread.join()

    captured = capsys.readouterr()
    assert captured.out == ""
    told = [json.loads(line) for line in captured.err.splitlines()]
    assert [(line["role"], line["room"], line["level"], line["event"]) for line in told] == [
        ("worker-0", "log", "info", "segment recovered"),
        ("worker-0", "log", "error", "segment vanished"),
    ]
    assert told[0]["records"] == 3


@pytest.mark.parametrize(
    ("variable", "asked", "is_json"),
    [
        pytest.param("", None, True, id="no terminal"),
        pytest.param("text", None, False, id="the environment says text"),
        pytest.param("json", None, True, id="the environment says json"),
        pytest.param("text", True, True, id="whoever configures goes before the environment"),
    ],
)
def test_messages_are_text_or_json_as_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    asked: bool | None,
    is_json: bool,
) -> None:
    monkeypatch.setenv(telemetry.MESSAGES_VARIABLE, variable)
    telemetry.configure(role="lake", json=asked)

    telemetry.messages_of("lake").warning("odd")

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("{") == is_json


def test_an_exception_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(role="worker-0", json=True)

    try:
        int("broken")
    except ValueError:
        telemetry.messages_of("ingest").exception("request failed by a fault")

    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_a_counter_is_added_up_over_all_its_labels_or_by_one() -> None:
    totals = telemetry.parse_metrics(
        "# TYPE refused_total counter\n"
        'refused_total{reason="invalid",source="sdk"} 2\n'
        'refused_total{reason="invalid",source="webhook"} 3\n'
        'refused_total{reason="too_large",source="sdk"} 1\n'
        "# TYPE seconds gauge\n"
        "seconds NaN\n"
    )

    assert totals.of("refused_total") == 6
    assert totals.by("refused_total", "reason") == {"invalid": 5, "too_large": 1}
    assert totals.of("never_counted_total") == 0


def test_a_process_whose_messages_nobody_reads_any_more_goes_on_and_ends_well() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = (
        "from sluice import telemetry\n"
        "telemetry.configure(role='lake')\n"
        "for _ in range(3): telemetry.messages_of('lake').error('nobody reads this')\n"
        "print('done')\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=writer, text=True, timeout=30, check=False
    )

    os.close(writer)
    assert (ended.returncode, ended.stdout) == (0, "done\n")


def test_messages_that_find_the_disk_full_are_lost_and_nothing_else() -> None:
    program = (
        "from sluice import telemetry\n"
        "telemetry.configure(role='lake')\n"
        "for _ in range(3): telemetry.messages_of('lake').error('no room')\n"
        "print('done')\n"
    )
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, text=True, timeout=30, check=False
        )

    assert ended.stdout == "done\n"
