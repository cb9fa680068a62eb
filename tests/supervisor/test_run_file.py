"""run.json, as other processes read it."""

import json
import os
from pathlib import Path

import pytest

from sluice.supervisor.process_id import ProcessId, process_id
from sluice.supervisor.run_file import RUN_FILE_NAME, RunFile, read_run_file, remove_run_file, write_run_file
from tests.support.foreign import KINDS


@pytest.fixture
def run() -> RunFile:
    own = process_id(os.getpid())
    assert own is not None
    return RunFile(
        supervisor=own,
        children={"lake": ProcessId(pid=5, started=6)},
        listen="127.0.0.1:8080",
        admin="127.0.0.1:9464",
        sockets="/tmp/sluice-x",
    )


def test_what_is_written_is_read(tmp_path: Path, run: RunFile) -> None:
    write_run_file(tmp_path, run)

    assert read_run_file(tmp_path) == run
    assert run.is_alive


@pytest.mark.parametrize("kind", list(KINDS))
def test_whatever_has_its_name_is_none_that_can_be_understood_and_is_replaced(
    tmp_path: Path, run: RunFile, kind: str
) -> None:
    KINDS[kind](tmp_path / RUN_FILE_NAME)

    assert read_run_file(tmp_path) is None
    write_run_file(tmp_path, run)
    assert read_run_file(tmp_path) == run
    if kind == "a folder":
        assert (tmp_path / f"{RUN_FILE_NAME}.foreign/thesis.txt").read_text() == "precious"


def test_its_names_are_those_that_other_tools_rely_on(tmp_path: Path, run: RunFile) -> None:
    write_run_file(tmp_path, run)

    assert json.loads((tmp_path / RUN_FILE_NAME).read_text()) == {
        "supervisor": {"pid": run.supervisor.pid, "started": run.supervisor.started},
        "children": {"lake": {"pid": 5, "started": 6}},
        "listen": "127.0.0.1:8080",
        "admin": "127.0.0.1:9464",
        "sockets": "/tmp/sluice-x",
        "edge": "embedded",
    }


def test_one_of_a_version_that_told_less_is_read(tmp_path: Path, run: RunFile) -> None:
    write_run_file(tmp_path, run)
    told = json.loads((tmp_path / RUN_FILE_NAME).read_text())
    del told["edge"]
    (tmp_path / RUN_FILE_NAME).write_text(json.dumps(told))

    assert read_run_file(tmp_path) == run


@pytest.mark.parametrize("content", [None, b"", b"{}", b"not JSON", b'{"supervisor":{"pid":"x"}}'])
def test_a_missing_or_broken_one_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / RUN_FILE_NAME).write_bytes(content)

    assert read_run_file(tmp_path) is None


def test_a_process_that_took_over_the_id_is_not_the_service(tmp_path: Path, run: RunFile) -> None:
    before = ProcessId(pid=run.supervisor.pid, started=run.supervisor.started - 1)
    write_run_file(tmp_path, RunFile(supervisor=before, children={}, listen="", admin="", sockets=""))
    found = read_run_file(tmp_path)

    assert found is not None
    assert not found.is_alive


def test_it_goes_when_it_is_removed(tmp_path: Path, run: RunFile) -> None:
    write_run_file(tmp_path, run)
    remove_run_file(tmp_path)
    remove_run_file(tmp_path)

    assert list(tmp_path.iterdir()) == []
