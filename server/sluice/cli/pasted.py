"""Commands that a command's words name: as they can be pasted where it ran, on the data folder that it worked on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sluice.cli.options import data_dir_of
from sluice.settings.places import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command_on"]


def command_on(data_dir: Path, command: str, rest: str = "") -> str:
    """A command with `--data-dir`, unless it would find the folder by itself.

    Args:
        data_dir: the folder.
        command: its words, such as `log verify`.
        rest: what stands behind, as a shell reads it.
    """
    folder = "" if _is_found(data_dir) else f" --data-dir {shlex.quote(str(data_dir))}"
    return f"sluice {command}{folder}{rest and f' {rest}'}"


def _is_found(data_dir: Path) -> bool:
    try:
        return data_dir_of(None, None).absolute() == data_dir.absolute()
    except SettingsError:  # of a file in whose place --config named another one
        return False
