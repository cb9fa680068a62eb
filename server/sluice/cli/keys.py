"""`sluice keys create|import|list|set|revoke`: works on the data folder, with or without a running service."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.options import AsJson, Config, DataDir, WrongUsage, data_dir_of, duration_of, existing_data_dir, group
from sluice.cli.output import iso_time, print_json, print_line, print_table, say
from sluice.cli.pasted import command_on
from sluice.contract import Source  # noqa: TC001  typer reads the annotations
from sluice.keys.key import DEFAULT_PROJECT, Key, Kind, OnInvalid, is_label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.keys.key_file import KeyFile

__all__ = ["commands"]

commands = group("Make, take in, list, change and revoke API keys.")

_Project = Annotated[
    str, typer.Option("--project", help="Events that come with it belong to this project.", metavar="text")
]


@commands.command("create")
def create(
    *,
    kind: Annotated[Kind, typer.Option("--kind", help="Who will hold it: a server, or a client such as a web page.")],
    name: Annotated[str, typer.Option("--name", help="What you call it.", metavar="text")] = "",
    project: _Project = DEFAULT_PROJECT,
    on_invalid: Annotated[
        OnInvalid,
        typer.Option(
            "--on-invalid",
            help="What becomes of a request of which some events are invalid: reject refuses it as a whole, "
            "quarantine accepts the good events and sets the bad ones aside with their reasons.",
        ),
    ] = OnInvalid.REJECT,
    source: Annotated[
        list[Source] | None,
        typer.Option(
            "--source",
            help="A door that it opens; may stand more than once. "
            "[default: all for a server secret; sdk and grpc for a client key]",
            show_default=False,
            metavar="sdk|webhook|grpc",
        ),
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", help="Refuse it after that time, such as 90d.", metavar="duration")
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Make a key and print it, once.

    It is durable when it is printed, alone on standard output. Sluice keeps only its hash.

    sluice keys create --kind server --name "checkout service"
    """
    _check_label("--name", name, may_be_empty=True)
    _check_label("--project", project)
    lifetime_s = None if expires_in is None else duration_of("--expires-in", expires_in)
    folder = data_dir_of(data_dir, config)
    is_new = not folder.is_dir()
    key, secret = _key_file(folder).create(
        kind=kind,
        name=name,
        project=project,
        sources=frozenset(source) if source else None,
        on_invalid=on_invalid,
        expires_at=None if lifetime_s is None else time.time() + lifetime_s,
    )
    print_line(secret)
    say(f"created {key.id}; its secret is shown only now: Sluice keeps a hash of it")
    _tell_if_new(folder, is_new=is_new)


@commands.command("import")
def import_(
    *,
    source: Annotated[str, typer.Argument(metavar="-", help="A dash: keys are read from standard input only.")],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help='What keys are that begin with neither "secret-" nor "client-".')
    ] = None,
    project: _Project = DEFAULT_PROJECT,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Take in existing keys, such as those of Statsig.

    One to a line; empty lines, and lines that begin with #, are left out. All are taken, or, when a line is wrong,
    none. A key that is there already stays as it is.

    sluice keys import - < statsig-keys.txt
    """
    from sluice.keys.import_list import MAX_TEXT_BYTES, parse  # noqa: PLC0415  only this command needs it

    folder = data_dir_of(data_dir, config)
    if source != "-":
        raise WrongUsage(
            f'"{source}" is not "-": keys are read from standard input, so that none stays in the shell\'s history',
            hint=command_on(folder, "keys import", "- < FILE"),
        )
    _check_label("--project", project)
    if sys.stdin.isatty():
        say("paste the keys, one to a line, then press Ctrl-D")
    content = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    found = parse(content, kind=kind)
    is_new = not folder.is_dir()
    outcomes = _key_file(folder).import_(found, project=project)
    _tell_if_new(folder, is_new=is_new)
    print_table(
        ["id", "kind", "begins with", "outcome"],
        [
            (
                each.key.id,
                each.key.kind.value,
                each.key.prefix,
                f"already there, {_state(each.key)}" if each.already_there else "imported",
            )
            for each in outcomes
        ],
    )
    there = sum(each.already_there for each in outcomes)
    say(f"imported {len(outcomes) - there}, already there {there}")


@commands.command("list")
def list_(*, as_json: AsJson = False, data_dir: DataDir = None, config: Config = None) -> None:
    """List all keys, without their secrets.

    Revoked and expired ones stay in the list: rows of the lake name them.

    sluice keys list
    """
    folder = existing_data_dir(data_dir, config)
    keys = _key_file(folder).all()
    if as_json:
        print_json([_facts(key) for key in keys])
        return
    print_table(
        ["id", "kind", "begins with", "state", "project", "name", "sources", "on invalid", "created", "expires"],
        [
            (
                key.id,
                key.kind.value,
                key.prefix,
                _state(key),
                key.project,
                key.name,
                ", ".join(_sources(key)),
                key.on_invalid.value,
                iso_time(key.created_at),
                iso_time(key.expires_at) or "never",
            )
            for key in keys
        ],
    )
    if not keys:
        say(f"there are no keys; make one: {command_on(folder, 'keys create', '--kind server')}")


@commands.command("set")
def set_(
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as sluice keys list shows it.")],
    on_invalid: Annotated[
        OnInvalid,
        typer.Option(
            "--on-invalid",
            help="What becomes of its requests of which some events are invalid: reject refuses them as a whole, "
            "quarantine accepts the good events and sets the bad ones aside.",
        ),
    ],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Change what a key asks for.

    A running service does so within 2 seconds.

    sluice keys set key_0123456789abcdef --on-invalid quarantine
    """
    folder = existing_data_dir(data_dir, config)
    with _saying_where_ids_are(folder):
        key = _key_file(folder).set_on_invalid(key_id, on_invalid)
    say(f"{key.id}: requests with invalid events: {key.on_invalid.value}")


@commands.command("revoke")
def revoke(
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as sluice keys list shows it.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Refuse a key from now on.

    A running service does so within 2 seconds. There is no way back: make a new key instead.

    sluice keys revoke key_0123456789abcdef
    """
    folder = existing_data_dir(data_dir, config)
    with _saying_where_ids_are(folder):
        key = _key_file(folder).revoke(key_id)
    say(f"revoked {key.id} at {iso_time(key.revoked_at)}")


def _tell_if_new(folder: Path, *, is_new: bool) -> None:
    """Whoever meant the folder of a service has named another one."""
    if is_new:
        say(f"in a new data folder: {folder.absolute()}")


@contextmanager
def _saying_where_ids_are(folder: Path) -> Iterator[None]:
    from sluice.keys.key_file import NoSuchKey  # noqa: PLC0415  as below

    try:
        yield
    except NoSuchKey as exc:
        raise NoSuchKey(exc.message, hint=f"see all ids: {command_on(folder, 'keys list')}") from exc


def _key_file(folder: Path) -> KeyFile:
    from sluice.keys.file_format import KEYS_FILE_NAME  # noqa: PLC0415  msgspec: 50 ms that --help needn't take
    from sluice.keys.key_file import KeyFile  # noqa: PLC0415  as above

    return KeyFile(folder / KEYS_FILE_NAME)


def _check_label(flag: str, text: str, *, may_be_empty: bool = False) -> None:
    if not is_label(text) and not (may_be_empty and not text):
        raise WrongUsage(f"{flag}: not 1 to 100 printable characters", hint=f'write {flag} "web shop"')


def _sources(key: Key) -> list[str]:
    return sorted(source.value for source in key.sources)


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    is_expired = key.expires_at is not None and key.expires_at <= time.time()
    return "expired" if is_expired else "in force"


def _facts(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "kind": key.kind.value,
        "prefix": key.prefix,
        "state": _state(key).replace(" ", "_"),
        "project": key.project,
        "name": key.name,
        "sources": _sources(key),
        "on_invalid": key.on_invalid.value,
        "created_at": iso_time(key.created_at),
        "expires_at": iso_time(key.expires_at),
        "revoked_at": iso_time(key.revoked_at),
    }
