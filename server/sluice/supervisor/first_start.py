"""The first start: with no keys yet, one server secret and one client key are made, and told to whoever started it.

On a terminal they are printed, with three things to paste. Without one they go to `first-keys` in the data folder,
which only this user can read, and only its path is printed: what a service prints is kept in logs.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluice import disk
from sluice.keys.file_format import KEYS_FILE_NAME
from sluice.keys.key import Kind
from sluice.keys.key_file import KeyFile

if TYPE_CHECKING:
    from sluice.settings.units import Address

__all__ = ["FIRST_KEYS_NAME", "FirstKeys", "keep_first_keys", "make_first_keys", "things_to_paste"]

FIRST_KEYS_NAME = "first-keys"

_DEFAULT_DATA_DIR = Path("data")
_FIRST_EVENT = '{"events":[{"user":{"userID":"u1"},"eventName":"bought","time":1767225600000,"value":9.5}]}'
_FIRST_QUERY = "select event_name, user_id, value_number, received_at from events"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  nothing is bound here


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstKeys:
    """The secrets of the first two keys.

    Attributes:
        server: a server secret.
        client: a client key.
    """

    server: str
    client: str


def make_first_keys(data_dir: Path) -> FirstKeys | None:
    """Make the first two keys; None if there are keys already, revoked ones among them.

    Raises:
        KeysUnreadable: there is a file of keys that can't be read.
        OSError: the data folder can't be written.
    """
    keys = KeyFile(data_dir / KEYS_FILE_NAME)
    if keys.all():
        return None
    _, server = keys.create(kind=Kind.SERVER, name="first server secret")
    _, client = keys.create(kind=Kind.CLIENT, name="first client key")
    return FirstKeys(server=server, client=client)


def keep_first_keys(data_dir: Path, keys: FirstKeys) -> Path:
    """Write the secrets to a file that only this user can read; return its path.

    `sluice keys import -` reads this form.
    """
    path = data_dir / FIRST_KEYS_NAME
    lines = ("# The first two keys. Copy them to where they belong, then remove this file.", keys.server, keys.client)
    disk.replace_file(path, "".join(f"{line}\n" for line in lines).encode(), mode=0o600)
    return path


def things_to_paste(keys: FirstKeys, *, listen: Address, data_dir: Path) -> str:
    """What a person does first: send an event, bring it to the lake, look at it.

    Args:
        keys: the secrets.
        listen: where events come in, as chosen.
        data_dir: the data folder, as it was named.
    """
    sluice = shlex.quote(_this_command())
    folder = "" if data_dir == _DEFAULT_DATA_DIR else f" --data-dir {shlex.quote(str(data_dir))}"
    url = f"http://{_EVERYWHERE.get(listen.host, _bracketed(listen.host))}:{listen.port}/v1/log_event"
    curl = " ".join(
        (
            f"curl -sS {url} -H 'statsig-api-key: {keys.server}'",
            '-H "statsig-client-time: $(date +%s000)" -H "content-type: application/json"',
            f"-d '{_FIRST_EVENT}'",
        )
    )
    return f"""
Two keys were made, and are shown only now.

  server secret  {keys.server}
  client key     {keys.client}

Paste these, one after the other, in another terminal:

  {curl}

  {sluice} flush{folder}

  {sluice} query{folder} "{_FIRST_QUERY}"

"""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _this_command() -> str:
    """How this environment's `sluice` is called from here."""
    command = Path(sys.argv[0] if Path(sys.argv[0]).name == "sluice" else Path(sys.executable).with_name("sluice"))
    try:
        return str(command.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(command)
