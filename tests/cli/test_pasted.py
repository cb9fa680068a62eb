"""Commands that words and hints name: pasted as they are printed, they work on the folder that was named."""

import io
import json
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from sluice.cli.pasted import command_on
from sluice.framing import frame
from sluice.log.ids import request_id_text
from sluice.log.reader import LocalSegments
from sluice.log.refused import encode_refused, refused_log
from tests.support.command import InProcess, write_log
from tests.support.lake_log import NOW, record, seal_on_disk, uuid7
from tests.support.lake_service import publish_all, started
from tests.support.log_records import refused_entry, sealed_segment


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A data folder that no command finds by itself."""
    folder = tmp_path / "web shop's events"
    (folder / "lake" / "events").mkdir(parents=True)
    return folder


def _pasted(sluice: InProcess, printed: str) -> str:
    command, *words = shlex.split(printed)
    assert command == "sluice"
    result = sluice(*words)
    assert result.code == 0, result.err
    return result.out


def test_the_query_that_trace_prints_finds_the_rows_in_another_folder(sluice: InProcess, elsewhere: Path) -> None:
    seal_on_disk(elsewhere, [record(b'{"events":[{"eventName":"a","time":1}]}', number=1)])
    with redirect_stdout(io.StringIO()):
        publish_all(started(elsewhere, LocalSegments(elsewhere / "log", archive=False)))

    traced = sluice("trace", str(uuid7(NOW, 1)), "--data-dir", str(elsewhere)).out
    [ask] = [line.removeprefix("ask ").strip() for line in traced.splitlines() if line.startswith("ask ")]

    assert str(uuid7(NOW, 1)) in _pasted(sluice, ask)


def test_the_command_that_trace_prints_shows_what_was_refused_in_another_folder(
    sluice: InProcess, elsewhere: Path
) -> None:
    entry = refused_entry(b"{}")
    content = frame(b"".join(encode_refused(entry, received_at_us=int(NOW * 1e6), node="n1")))
    sealed_segment(refused_log(elsewhere), content, records=1)

    traced = sluice("trace", request_id_text(entry.request_id), "--data-dir", str(elsewhere)).out
    [see] = [line.removeprefix("see ").strip() for line in traced.splitlines() if line.startswith("see ")]

    assert request_id_text(entry.request_id) in _pasted(sluice, see)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(["keys", "revoke", "key_nope"], "keys list", id="keys"),
        pytest.param(["rejects", "show", "nonsense"], "rejects list", id="an id that is none"),
        pytest.param(["rejects", "list", "--key", "secret-abcdefghij"], "keys list", id="a key as an id"),
        pytest.param(["rejects", "show", "01981f2e-7c40-7000-8000-0123456789ab"], "rejects list", id="rejects"),
        pytest.param(["tail", "--no-follow", "--key", "key_9"], "keys list", id="tail"),
        pytest.param(["tail", "--no-follow"], "query", id="an empty log"),
        pytest.param(["tail", "--refused", "--show-values"], "rejects show", id="tail --refused"),
    ],
)
def test_what_other_commands_name_names_the_folder_too(
    sluice: InProcess, elsewhere: Path, arguments: list[str], named: str
) -> None:
    assert f"sluice {named} --data-dir {shlex.quote(str(elsewhere))}" in (
        sluice(*arguments, "--data-dir", str(elsewhere)).err
    )


def test_what_an_incomplete_flush_names_names_the_folder_too(sluice: InProcess, elsewhere: Path) -> None:
    write_log(elsewhere, events=1)

    err = sluice("flush", "--timeout", "0s", "--data-dir", str(elsewhere)).err

    folder = f"--data-dir {shlex.quote(str(elsewhere))}"
    assert f"sluice status {folder}; or wait longer: sluice flush {folder} --timeout 5m\n" in err


def test_a_folder_that_is_found_without_being_named_is_not_named(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command_on(tmp_path / "data", "status") == "sluice status"
    assert "--data-dir" in command_on(elsewhere, "status")

    (tmp_path / "sluice.toml").write_text(f"data-dir = {json.dumps(str(elsewhere))}\n")
    assert command_on(elsewhere, "status") == "sluice status"
    assert "--data-dir" in command_on(tmp_path / "data", "status")

    monkeypatch.setenv("SLUICE_DATA_DIR", "data")
    assert command_on(tmp_path / "data", "status") == "sluice status"
    assert "--data-dir" in command_on(elsewhere, "status")


def test_beside_settings_that_are_wrong_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text("data-dir =\n")

    assert command_on(tmp_path / "data", "status") == f"sluice status --data-dir {tmp_path}/data"
