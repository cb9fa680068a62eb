"""`sluice keys …`, through the real command."""

import dataclasses
import json
import threading
from pathlib import Path

import pytest

from sluice.contract import Source
from sluice.keys.key import Kind, OnInvalid
from sluice.keys.key_file import read_keys
from sluice.keys.store import Keys
from tests.support.command import InProcess, Result, run


def test_a_new_key_stands_alone_on_standard_output_and_opens_its_door(data_dir: Path) -> None:
    result = run("keys", "create", "--kind", "server", "--name", "shop", "--data-dir", str(data_dir))

    assert result.code == 0
    [secret] = result.out.splitlines()
    [key] = read_keys(data_dir / "keys.json")
    assert Keys(data_dir / "keys.json").check(secret, Source.WEBHOOK, from_query=False, now=key.created_at) == key
    assert (key.kind, key.name, key.project) == (Kind.SERVER, "shop", "default")
    assert key.id in result.err
    assert secret not in result.err


def test_a_data_folder_that_the_command_has_made_is_told(tmp_path: Path) -> None:
    first, second = (run("keys", "create", "--kind", "client", "--data-dir", str(tmp_path / "new")) for _ in range(2))

    assert f"in a new data folder: {tmp_path / 'new'}\n" in first.err
    assert "new data folder" not in second.err


def test_two_who_create_at_once_both_have_a_key(data_dir: Path) -> None:
    results: list[Result] = []

    def create() -> None:
        results.append(run("keys", "create", "--kind", "client", SLUICE_DATA_DIR=str(data_dir)))

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    keys = Keys(data_dir / "keys.json")
    assert [result.code for result in results] == [0, 0]
    found = {keys.check(result.out.strip(), Source.SDK, from_query=True, now=0.0) for result in results}
    assert found == set(keys.all())


def test_existing_keys_are_imported_and_those_that_are_there_are_told(data_dir: Path) -> None:
    run("keys", "import", "-", stdin="secret-test\n", SLUICE_DATA_DIR=str(data_dir))

    result = run(
        *("keys", "import", "-", "--kind", "client", "--project", "web"),
        stdin="# from the console\nsecret-test\n\n0123456789abcdef\n",
        SLUICE_DATA_DIR=str(data_dir),
    )

    assert result.code == 0
    assert [line.split()[3:] for line in result.out.splitlines()[1:]] == [
        ["already", "there,", "in", "force"],
        ["imported"],
    ]
    assert result.err == "imported 1, already there 1\n"
    assert [(key.kind, key.project) for key in read_keys(data_dir / "keys.json")] == [
        (Kind.SERVER, "default"),
        (Kind.CLIENT, "web"),
    ]


def test_a_malformed_line_imports_nothing(data_dir: Path) -> None:
    result = run("keys", "import", "-", stdin="secret-test\nsecret-hushed word\n", SLUICE_DATA_DIR=str(data_dir))

    assert result.code == 1
    assert result.err.startswith("error: line 2: not a key: it holds a space")
    assert "hushed" not in result.err
    assert read_keys(data_dir / "keys.json") == []


def test_keys_are_read_from_standard_input_only(sluice: InProcess) -> None:
    result = sluice("keys", "import", "keys.txt")

    assert result.code == 2
    assert "keys import - < FILE" in result.err


def test_keys_are_listed_without_their_secrets(sluice: InProcess, data_dir: Path) -> None:
    there = ("--data-dir", str(data_dir))
    secret = sluice("keys", "create", "--kind", "client", "--source", "webhook", "--expires-in", "1h", *there).out
    sluice("keys", "create", "--kind", "server", "--name", "shop", *there)
    revoked = read_keys(data_dir / "keys.json")[1].id
    assert sluice("keys", "revoke", revoked, *there).code == 0

    table = sluice("keys", "list", *there)
    listed = json.loads(sluice("keys", "list", "--json", *there).out)

    assert secret.strip() not in table.out
    assert [(each["state"], each["sources"], each["name"]) for each in listed] == [
        ("in_force", ["webhook"], ""),
        ("revoked", ["grpc", "sdk", "webhook"], "shop"),
    ]
    assert listed[0]["expires_at"] > listed[0]["created_at"]
    assert table.out.splitlines()[2].split()[:4] == [
        revoked,
        "server",
        "secret-" + table.out.split("secret-")[1][0],
        "revoked",
    ]


def test_an_unknown_id_can_not_be_revoked(sluice: InProcess, data_dir: Path) -> None:
    result = sluice("keys", "revoke", "key_nope", "--data-dir", str(data_dir))

    assert result.code == 1
    assert result.err == 'error: no key has the id "key_nope"\n  hint: see all ids: sluice keys list\n'


@pytest.mark.parametrize("flag", ["--name", "--project"])
def test_a_label_of_more_than_one_line_is_wrong_usage(sluice: InProcess, data_dir: Path, flag: str) -> None:
    result = sluice("keys", "create", "--kind", "client", flag, "a\nb", "--data-dir", str(data_dir))

    assert result.code == 2
    assert result.err.startswith(f"error: {flag}: not 1 to 100 printable characters")


def test_what_a_key_asks_for_is_changed_and_nothing_else_is(data_dir: Path) -> None:
    run("keys", "create", "--kind", "server", "--name", "shop", SLUICE_DATA_DIR=str(data_dir))
    [before] = read_keys(data_dir / "keys.json")

    result = run("keys", "set", before.id, "--on-invalid", "quarantine", SLUICE_DATA_DIR=str(data_dir))

    assert result.code == 0
    [after] = read_keys(data_dir / "keys.json")
    assert after == dataclasses.replace(before, on_invalid=OnInvalid.QUARANTINE)
    unknown = run("keys", "set", "key_nope", "--on-invalid", "reject", SLUICE_DATA_DIR=str(data_dir))
    assert (unknown.code, "no key has the id" in unknown.err) == (1, True)
