"""Messages that nobody reads hold up nobody: pipes and sockets whose reader stands still, and a paused terminal."""

import io
import json
import os
import socket
import termios
import time
import tty
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


@contextmanager
def _terminal() -> Iterator[tuple[TextIO, Callable[[], bytes]]]:
    reader, writer = os.openpty()
    # Raw: what is written is read as it is.
    tty.setraw(writer)
    os.set_blocking(reader, False)
    file = os.fdopen(writer, "w")

    def read_all() -> bytes:
        return b"".join(iter(lambda: _read_now(reader), b""))

    try:
        yield file, read_all
    finally:
        # Else closing would wait for it.
        termios.tcflow(file.fileno(), termios.TCOON)
        file.close()
        os.close(reader)


def _read_now(fd: int) -> bytes:
    try:
        return os.read(fd, 65_536)
    except BlockingIOError:
        return b""


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


def test_a_terminal_that_is_paused_holds_up_nobody_and_is_told_afterwards_how_many_were_lost() -> None:
    with _terminal() as (file, read_all), _stream(file) as stream:
        stream.write(_LINE % 0)
        termios.tcflow(file.fileno(), termios.TCOOFF)
        began = time.monotonic()
        for number in range(1, 1001):
            stream.write(_LINE % number)
            stream.flush()
        took_s = time.monotonic() - began
        termios.tcflow(file.fileno(), termios.TCOON)
        stream.write(_LINE % 1001)
        lines = [json.loads(line) for line in read_all().splitlines()]

    assert took_s < 2
    assert [line.get("n", line.get("lost")) for line in lines] == [0, 1001, 1000]


def test_what_is_drawn_takes_no_time_is_not_missed_and_cuts_no_line_in_two() -> None:
    with _terminal() as (file, read_all), _stream(file) as stream:
        stream.draw("{}\n")
        termios.tcflow(file.fileno(), termios.TCOOFF)
        for _ in range(100):
            stream.draw('{"n": "drawn"}\n')
        termios.tcflow(file.fileno(), termios.TCOON)
        stream.write(_LINE % 1)
        lines = [json.loads(line) for line in read_all().splitlines()]
        # Until the terminal takes no more, in the middle of a line as it may be.
        for number in range(2, 1000):
            stream.write(_LINE % number)
        stream.draw('{"n": "drawn"}\n')
        rest = read_all()
        stream.draw('{"n": "last"}\n')
        rest += read_all()

    assert [line.get("n") for line in lines] == [None, 1]
    *numbers, last = [line["n"] for line in map(json.loads, rest.splitlines()) if "n" in line]
    assert numbers == list(range(2, 2 + len(numbers)))
    assert last == "last"


def test_what_is_no_file_of_the_system_is_written_as_it_is() -> None:
    file = io.StringIO()
    with _stream(file) as stream:
        stream.write("a\n")
        stream.flush()

    assert file.getvalue() == "a\n"
