"""Find settings: flag > environment > sluice.toml > default.

`seal_age` is `--seal-age`, `SLUICE_SEAL_AGE`, and `seal-age` in sluice.toml. An error names the place that the wrong
value came from, in the words of whoever wrote it there.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.settings.model import ALL, VARIABLE_PREFIX, Setting, Settings, setting
from sluice.settings.units import BadValue, format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CONFIG_VARIABLE", "DEFAULT_CONFIG", "SettingsError", "find_data_dir", "load"]

CONFIG_VARIABLE = f"{VARIABLE_PREFIX}CONFIG"
DEFAULT_CONFIG = "sluice.toml"

# Kubernetes tells every container of a namespace where a service called "sluice" is, by these.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_FOREIGN_VARIABLES = (f"{VARIABLE_PREFIX}SERVICE_", f"{VARIABLE_PREFIX}PORT")


class SettingsError(SluiceError):
    """A setting is wrong; the message begins with the place that its value came from."""


class _Places:
    """All that was said of settings, and where."""

    def __init__(self, flags: Mapping[str, object], config: str | None, environ: Mapping[str, str]) -> None:
        self._flags = flags
        self._environ = environ
        self.file_name, self.file = _read_config(config, environ)

    def find(self, what: Setting) -> tuple[object, str]:
        """What was said of a setting in the strongest place that says something, and that place; None: nothing."""
        if (said := self._flags.get(what.name)) is not None:
            return said, what.flag
        # An empty variable is what compose files make of one that isn't set.
        if said := self._environ.get(what.variable):
            return said, what.variable
        return self.file.get(what.key), f"{self.file_name}: {what.key}"


def load(
    flags: Mapping[str, object], *, config: str | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Find and check all settings.

    Args:
        flags: what was said on the command line, by the names of the fields of `Settings`; None: it wasn't.
        config: what `--config` says.
        environ: the environment.

    Raises:
        SettingsError: the first that is wrong, in the order of the fields; or a name that no setting has.
    """
    places = _Places(flags, config, environ)
    for key in places.file:
        _refuse_unknown(key, (each.key for each in ALL), f'{places.file_name}: there is no setting "{key}"')
    for variable in environ:
        if variable.startswith(VARIABLE_PREFIX) and not variable.startswith(_FOREIGN_VARIABLES):
            known = [CONFIG_VARIABLE, *(each.variable for each in ALL)]
            _refuse_unknown(variable, known, f"{variable}: there is no such setting")
    values: dict[str, Any] = {}
    for each in ALL:
        values[each.name] = _value_of(each, places, values)
    settings = Settings(**values)
    _refuse_what_does_not_fit(settings, places)
    return settings


def find_data_dir(*, flag: Path | None, config: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Find the data folder alone: what is wrong with other settings is no matter of a command that needs only this.

    Args:
        flag: what `--data-dir` says; None: nothing.
        config: what `--config` says.
        environ: the environment.

    Raises:
        SettingsError: sluice.toml is unreadable, or its data-dir is no name.
    """
    folder = _value_of(setting("data_dir"), _Places({"data_dir": flag}, config, environ), {})
    assert isinstance(folder, Path)
    return folder


def _read_config(named: str | None, environ: Mapping[str, str]) -> tuple[str, dict[str, object]]:
    must_exist = named or environ.get(CONFIG_VARIABLE)
    name = must_exist or DEFAULT_CONFIG
    try:
        with Path(name).open("rb") as file:
            return name, tomllib.load(file)
    except FileNotFoundError as exc:
        if must_exist is None:
            return name, {}
        raise SettingsError(f"{name}: no such file", hint="name a file that exists, or leave out --config") from exc
    except OSError as exc:
        raise SettingsError(f"{name}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        text = str(exc)
        raise SettingsError(
            f"{name}: not TOML: {text[:1].lower()}{text[1:]}", hint='write lines such as seal-age = "10s"'
        ) from exc


def _refuse_unknown(word: str, known: Iterable[str], message: str) -> None:
    known = list(known)
    if word in known:
        return
    close = difflib.get_close_matches(word, known, n=1)
    raise SettingsError(message, hint=f"did you mean {close[0]}?" if close else "see all settings: sluice up --help")


def _value_of(what: Setting, places: _Places, known: Mapping[str, Any]) -> object:
    said, place = places.find(what)
    if said is None:
        return what.default_beside(known)
    default = f"the default is {what.default_text}"
    if not isinstance(said, (str, int, float, Path)):
        raise SettingsError(f"{place}: a list, a table or a date where one value belongs", hint=default)
    try:
        # sluice.toml may hold numbers; each is read as the text that it is.
        value = what.kind.parse(str(said).strip())
    except BadValue as exc:
        raise SettingsError(f"{place}: {exc.message}", hint=exc.hint) from exc
    if what.low is not None and value < what.low:
        raise SettingsError(f'{place}: "{said}" is less than {what.kind.show(what.low)}', hint=default)
    if what.high is not None and value > what.high:
        raise SettingsError(f'{place}: "{said}" is more than {what.kind.show(what.high)}', hint=default)
    return value


def _refuse_what_does_not_fit(settings: Settings, places: _Places) -> None:
    if settings.transcoding == "typed":
        _, place = places.find(setting("transcoding"))
        raise SettingsError(f"{place}: typed is not built yet", hint="leave it out: body takes the same requests")
    if settings.in_flight < settings.max_body:
        _, place = places.find(setting("in_flight"))
        raise SettingsError(
            f"{place}: {format_size(settings.in_flight)} is less than one body of {setting('max_body').key}, "
            f"{format_size(settings.max_body)}",
            hint="make it a few times as large, or leave it out",
        )
