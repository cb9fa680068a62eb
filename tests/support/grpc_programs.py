"""The two programs of docs/grpc.md, and what both must do: they say the same, so one list of claims is for both."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.documents import blocks_of
from tests.support.service import Service

DOCUMENT = Path(__file__).parents[2] / "docs/grpc.md"
# Where the programs of the document call.
DOCUMENTED_ADDRESS = "127.0.0.1:8080"

# Given an address and a key, runs the program to its end.
Run = Callable[[str, str], subprocess.CompletedProcess[str]]


def program(language: str) -> str:
    """The one program of a language that sets a service config."""
    [found] = [block.text for block in blocks_of(DOCUMENT, {language}) if "retryPolicy" in block.text]
    return found


def service_config(language: str) -> dict[str, object]:
    """The service config of a program."""
    found = re.search(r'(?:"""|`)(\{\s*"methodConfig".+?\})(?:"""|`)', program(language), re.DOTALL)
    assert found is not None
    config: dict[str, object] = json.loads(found[1])
    return config


def assert_sends_what_is_right_and_names_what_is_wrong(run: Run, service: Service) -> None:
    done = run(service.grpc, service.server_key)

    assert (done.returncode, done.stderr) == (0, "")
    first, *refused, last = done.stdout.splitlines()
    assert refused == ["refused, 1 of 2 events are invalid:", "  events[1].event_name: missing, expected string"]
    ids = [line.removeprefix("stored, request ") for line in (first, last)]
    service.flush()
    rows = service.rows(
        "select request_id, event_name, event_id is not null, idempotency_key from events "
        f"where request_id in ('{ids[0]}', '{ids[1]}') order by event_name"
    )
    assert [row[:3] for row in rows] == [
        (ids[1], "delivered", True),
        (ids[0], "ordered", True),
        (ids[0], "shipped", True),
    ]
    # A key for each batch: the rest of one is another.
    assert len({row[3] for row in rows}) == 2


def assert_says_why_it_was_refused(run: Run, service: Service) -> None:
    done = run(service.grpc, "secret-0123456789")

    assert done.returncode == 1
    assert done.stdout == ""
    known = r'unauthenticated KEY_UNKNOWN: statsig-api-key: expected a key that is known here, got "secret-0\.\.\."'
    assert re.match(known, done.stderr, re.IGNORECASE)
    assert re.search(r"request [0-9a-f-]{36}\n", done.stderr)


def assert_says_to_keep_what_could_not_be_sent(run: Run, address_of_nobody: str) -> None:
    done = run(address_of_nobody, "secret-0123456789")

    assert done.returncode == 1
    assert done.stderr.lower().startswith("unavailable")
    assert "keep the batch, and send it again in 1" in done.stderr
