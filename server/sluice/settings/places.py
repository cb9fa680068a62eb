"""The places that a setting can come from, and what each is called there: flag, environment, file.

`seal_age` is `--seal-age`, `SLUICE_SEAL_AGE`, and `seal-age` in sluice.toml. This module is light, so that commands
that need nothing but the data folder start at once; what all settings are: model.py.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "DEFAULT_DATA_DIR",
    "VARIABLE_PREFIX",
    "ConfigFile",
    "SettingsError",
    "find_data_dir",
    "flag_of",
    "key_of",
    "nearest",
    "read_config",
    "variable_of",
]

VARIABLE_PREFIX = "SLUICE_"
CONFIG_VARIABLE = "SLUICE_CONFIG"
DEFAULT_CONFIG = "sluice.toml"
DEFAULT_DATA_DIR = Path("data")


class SettingsError(SluiceError):
    """A setting is wrong; the message begins with the place that its value came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What sluice.toml says.

    Attributes:
        path: the file's name as it was given; None: there is none.
        values: by key, as they stand there.
    """

    path: str | None
    values: Mapping[str, object]

    def place_of(self, name: str) -> str:
        """What an error calls a value of this file."""
        return f"{self.path}: {key_of(name)}"


def flag_of(name: str) -> str:
    """A setting's flag on the command line."""
    return "--" + key_of(name)


def variable_of(name: str) -> str:
    """A setting's variable in the environment."""
    return VARIABLE_PREFIX + name.upper()


def key_of(name: str) -> str:
    """A setting's key in sluice.toml."""
    return name.replace("_", "-")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word which an unknown one was probably meant to be."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else "all settings: sluice up --help, docs/settings.md"


def read_config(path: str | None, environ: Mapping[str, str] = os.environ) -> ConfigFile:
    """Read sluice.toml.

    Args:
        path: what `--config` says; None: SLUICE_CONFIG, else `sluice.toml` in the working directory if there is one.
        environ: the environment.

    Raises:
        SettingsError: the file was named but can't be read, or is no TOML.
    """
    named = path or environ.get(CONFIG_VARIABLE)
    name = named or DEFAULT_CONFIG
    try:
        with Path(name).open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError as exc:
        if named is None:
            return ConfigFile(path=None, values={})
        raise SettingsError(f"{name}: no such file", hint="name an existing file, or leave out --config") from exc
    except OSError as exc:
        raise SettingsError(f"{name}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise SettingsError(
            f"{name}: not TOML: {_lower_first(str(exc))}", hint='write lines such as seal-age = "10s"'
        ) from exc
    return ConfigFile(path=name, values=values)


def find_data_dir(*, flag: Path | None, config: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Find the data folder without reading any other setting; the same one that `load` finds.

    Args:
        flag: what `--data-dir` says.
        config: what `--config` says.
        environ: the environment.

    Raises:
        SettingsError: sluice.toml is unreadable, or its data-dir is no text.
    """
    if flag is not None:
        return flag
    if variable := environ.get(variable_of("data_dir")):
        return Path(variable)
    file = read_config(config, environ)
    value = file.values.get(key_of("data_dir"), str(DEFAULT_DATA_DIR))
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{file.place_of('data_dir')}: not the name of a folder", hint='write data-dir = "./data"')
    return Path(value)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
