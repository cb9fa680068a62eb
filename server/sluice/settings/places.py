"""What a setting is called in each place where it can be said; and the error that names the place.

Nothing here needs pydantic, so that `sluice --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path

from sluice.errors import SluiceError

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "DEFAULT_DATA_DIR",
    "VARIABLE_PREFIX",
    "SettingsError",
    "flag_of",
    "key_of",
    "variable_of",
]

VARIABLE_PREFIX = "SLUICE_"
CONFIG_VARIABLE = f"{VARIABLE_PREFIX}CONFIG"
DEFAULT_CONFIG = "sluice.toml"
DEFAULT_DATA_DIR = Path("data")


class SettingsError(SluiceError):
    """A setting is wrong; the message begins with the place that its value came from."""


def key_of(name: str) -> str:
    """A setting's key in sluice.toml, by the name of its field."""
    return name.replace("_", "-")


def flag_of(name: str) -> str:
    """A setting's flag on the command line, by the name of its field."""
    return f"--{key_of(name)}"


def variable_of(name: str) -> str:
    """A setting's variable in the environment, by the name of its field."""
    return VARIABLE_PREFIX + name.upper()
