"""Messages that nobody reads hold up nobody: pipes and sockets whose reader stands still."""

import io
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TextIO

import pytest

from sluice.unfailing import UnfailingStream

_LINE = '{"n": %d, "pad": "' + "x" * 200 + '"}\n'


@contextmanager
def _pipe() -> Iterator[tuple[TextIO, Callable[[], bytes]]]:
    reader, writer = os.pipe()
    file = os.fdopen(writer, "w")

    def read_all() -> bytes:
        file.close()
        return b"".join(iter(lambda: os.read(reader, 65_536), b""))

    try:
        yield file, read_all
    finally:
        file.close()
        os.close(reader)


@contextmanager
def _socket() -> Iterator[tuple[TextIO, Callable[[], bytes]]]:
    reader, writer = socket.socketpair()
    file = os.fdopen(writer.detach(), "w")

    def read_all() -> bytes:
        file.close()
        return b"".join(iter(lambda: reader.recv(65_536), b""))

    with reader, file:
        yield file, read_all


def _stream(file: TextIO) -> "closing[UnfailingStream]":
    return closing(UnfailingStream(file, lost_line=lambda lost: json.dumps({"lost": lost}) + "\n"))


def test_a_pipe_that_nobody_reads_now_loses_whole_lines_and_tells_how_many() -> None:
    with _pipe() as (file, _), _stream(file) as stream:
        reader = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_NONBLOCK)
        began = time.monotonic()
        for number in range(5000):
            stream.write(_LINE % number)
            stream.flush()
        took_s = time.monotonic() - began
        waited = os.read(reader, 1 << 20)
        stream.write(_LINE % 5000)
        waited += os.read(reader, 1 << 20)
        os.close(reader)

    lines = [json.loads(line) for line in waited.splitlines()]
    kept = [line["n"] for line in lines if "n" in line]
    assert took_s < 2
    assert kept == [*range(len(kept) - 1), 5000]
    assert [line["lost"] for line in lines if "lost" in line] == [5000 - (len(kept) - 1)]


@pytest.mark.parametrize("opened", [_pipe, _socket])
def test_what_is_read_is_whole_and_in_order(
    opened: Callable[[], AbstractContextManager[tuple[TextIO, Callable[[], bytes]]]],
) -> None:
    with opened() as (file, read_all):
        with _stream(file) as stream:
            for number in range(100):
                stream.write(_LINE % number)

        assert [json.loads(line)["n"] for line in read_all().splitlines()] == list(range(100))


def test_a_socket_that_nobody_reads_now_holds_up_nobody() -> None:
    with _socket() as (file, read_all):
        with _stream(file) as stream:
            began = time.monotonic()
            for number in range(20_000):
                stream.write(_LINE % number)
        took_s = time.monotonic() - began

        assert took_s < 5
        # A line that was begun is never followed by another in its midst.
        whole = read_all().rpartition(b"\n")[0]
        assert [json.loads(line)["n"] for line in whole.splitlines()] == list(range(len(whole.splitlines())))


def test_what_is_no_file_of_the_system_is_written_as_it_is() -> None:
    file = io.StringIO()
    with _stream(file) as stream:
        stream.write("a\n")
        stream.flush()

    assert file.getvalue() == "a\n"
