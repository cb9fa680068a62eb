"""The first two keys, and what a person is told to paste."""

import shlex
import stat
from pathlib import Path

import pytest

from sluice.keys.import_list import parse
from sluice.keys.key import Kind
from sluice.settings.units import Address
from sluice.supervisor.first_start import FirstKeys, keep_first_keys, make_first_keys, things_to_paste

_KEYS = FirstKeys(server="secret-abcdefghij", client="client-abcdefghij")


def _commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.startswith(("  curl", "  .venv", "  /"))]


def test_keys_are_made_once(tmp_path: Path) -> None:
    first = make_first_keys(tmp_path)

    assert first is not None
    assert first.server.startswith("secret-")
    assert first.client.startswith("client-")
    assert make_first_keys(tmp_path) is None


def test_the_file_is_its_users_alone_and_keys_import_reads_it(tmp_path: Path) -> None:
    path = keep_first_keys(tmp_path, _KEYS)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parse(path.read_bytes(), kind=None) == [(Kind.SERVER, _KEYS.server), (Kind.CLIENT, _KEYS.client)]


def test_three_commands_are_to_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/sluice"), "up"])
    monkeypatch.chdir(tmp_path)
    text = things_to_paste(_KEYS, listen=Address(host="127.0.0.1", port=8080), data_dir=Path("data"))
    curl, flush, query = _commands(text)

    assert curl[0] == "curl"
    assert "http://127.0.0.1:8080/v1/log_event" in curl
    assert f"statsig-api-key: {_KEYS.server}" in curl
    assert flush == [".venv/bin/sluice", "flush"]
    assert query[:2] == [".venv/bin/sluice", "query"]
    assert query[2].startswith("select ")


def test_another_data_folder_is_named_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/x y/sluice", "up"])
    monkeypatch.chdir(tmp_path)
    text = things_to_paste(_KEYS, listen=Address(host="0.0.0.0", port=80), data_dir=Path("my data"))
    commands = [shlex.split(line) for line in text.splitlines() if "sluice" in line and line.startswith("  ")]

    assert commands[0] == ["/opt/x y/sluice", "flush", "--data-dir", "my data"]
    assert commands[1][:4] == ["/opt/x y/sluice", "query", "--data-dir", "my data"]
    assert "http://127.0.0.1:80/v1/log_event" in text
