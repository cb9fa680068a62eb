"""The Python program of docs/grpc.md does what the document says of it; test_documents.py runs its other blocks."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.grpc_programs import (
    DOCUMENTED_ADDRESS,
    assert_says_to_keep_what_could_not_be_sent,
    assert_says_why_it_was_refused,
    assert_sends_what_is_right_and_names_what_is_wrong,
    program,
    service_config,
)
from tests.support.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


def _run(address: str, key: str) -> "subprocess.CompletedProcess[str]":
    text = program("python").replace(DOCUMENTED_ADDRESS, address)
    return subprocess.run(
        [sys.executable, "-"],
        input=text,
        env={**os.environ, "KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_stores_what_is_right_and_names_what_is_wrong(service: Service) -> None:
    assert_sends_what_is_right_and_names_what_is_wrong(_run, service)


def test_it_says_why_it_was_refused(service: Service) -> None:
    assert_says_why_it_was_refused(_run, service)


def test_without_a_service_it_says_to_keep_the_batch() -> None:
    with socket.socket() as nobody:  # bound, but it doesn't listen
        nobody.bind(("127.0.0.1", 0))
        assert_says_to_keep_what_could_not_be_sent(_run, "{}:{}".format(*nobody.getsockname()))


def test_both_programs_send_again_what_is_unavailable_and_nothing_else() -> None:
    config = service_config("python")

    assert config == service_config("go")
    [method] = config["methodConfig"]  # type: ignore[misc]  # JSON
    assert method["name"] == [{"service": "sluice.events.v1.EventsService"}]
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
