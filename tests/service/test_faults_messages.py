"""Nobody reads the messages of a service: it serves on, and publishes."""

import fcntl
import os
import termios
import threading
from contextlib import suppress
from pathlib import Path

import httpx

from tests.support.ledger.load import assert_lake_has_what_was_told, load_on
from tests.support.service import Service
from tests.support.waiting import wait_until

# The least that Linux gives: a dozen messages.
_PIPE_BYTES = 4096


def test_a_pipe_that_is_full_and_not_read_holds_up_no_process(tmp_path: Path) -> None:
    messages = tmp_path / "messages.jsonl"
    os.mkfifo(messages)
    pipe = os.open(messages, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    with Service(tmp_path / "data", "--workers", "1", "--seal-age", "100ms", "--lake-age", "100ms") as service:
        with load_on(service, rest=1) as load:
            # Each file that is published is a message.
            wait_until(lambda: len(_files(service)) > 20, within_s=60, what="files are published on and on")
            killed = service.kill("worker-0")
            wait_until(lambda: service.pid("worker-0") != killed, within_s=20, what="the worker is replaced")
            load.wait_for("202", "OK", within_s=40)
        assert_lake_has_what_was_told(service, load.ledger)
        assert len(os.read(pipe, 2 * _PIPE_BYTES)) > _PIPE_BYTES // 2
        # Else what is still to be said while it stops would not find its way either.
        assert service.is_ready()
    os.close(pipe)


def test_a_terminal_that_is_paused_holds_up_no_process(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    service = Service(
        tmp_path / "data", "--workers", "1", "--seal-age", "100ms", "--lake-age", "100ms", terminal=theirs
    )
    service.data_dir.mkdir()
    key = service.command("keys", "create", "--kind", "server").strip()
    reader = threading.Thread(target=_keep, args=(ours, tmp_path / "messages.jsonl"), daemon=True)
    reader.start()
    with service:
        lake = service.pid("lake")
        termios.tcflow(theirs, termios.TCOOFF)
        try:
            for role in ("worker-0", "lake"):
                killed = service.kill(role)
                wait_until(lambda: _is_new(service, role, killed), within_s=30, what=f"{role} is replaced")  # noqa: B023  it is called here alone
            wait_until(lambda: _is_taken(service, key), within_s=30, what="the new worker takes requests")
            wait_until(lambda: _files(service), within_s=30, what="the new lake writer publishes")
            # It tells of a file before it makes the next.
            assert _is_taken(service, key)
            wait_until(lambda: len(_files(service)) > 1, within_s=30, what="it goes on although nobody reads it")
            assert httpx.get(f"http://{service.admin}/livez", timeout=5).status_code == 200
        finally:
            termios.tcflow(theirs, termios.TCOON)
        # The file that this makes is a message.
        assert _is_taken(service, key)
        wait_until(
            lambda: "messages were lost: nobody read them" in service.messages(),
            within_s=20,
            what="it is told afterwards",
        )
        assert service.pid("lake") != lake
    os.close(theirs)
    reader.join(timeout=10)
    os.close(ours)


def _is_new(service: Service, role: str, killed: int) -> bool:
    process = service.run_file.children.get(role)
    return process is not None and process.pid != killed


def _is_taken(service: Service, key: str) -> bool:
    return service.post("taken", key=key).status_code == 202


def _keep(terminal: int, messages: Path) -> None:
    """Write down what comes to a terminal, until nobody has it open any more."""
    with messages.open("ab", buffering=0) as kept, suppress(OSError):
        while text := os.read(terminal, 65_536):
            kept.write(text)


def _files(service: Service) -> list[Path]:
    return list((service.data_dir / "lake/events").glob("*/*/*.parquet"))
