"""Nobody reads the messages of a service: it serves on, and publishes."""

import fcntl
import os
from pathlib import Path

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


def _files(service: Service) -> list[Path]:
    return list((service.data_dir / "lake/events").glob("*/*/*.parquet"))
