"""Find settings: flag > environment > sluice.toml > default.

`seal_age` is `--seal-age`, `SLUICE_SEAL_AGE`, and `seal-age` in sluice.toml. An error names the place that the wrong
value came from, in the words of whoever wrote it there.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, get_args

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, InitSettingsSource, TomlConfigSettingsSource

from sluice.settings.model import DataFolder, Settings, default_text, form_of
from sluice.settings.places import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    VARIABLE_PREFIX,
    SettingsError,
    flag_of,
    key_of,
    variable_of,
)
from sluice.settings.units import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails
    from pydantic_settings import PydanticBaseSettingsSource

    # The sources, the strongest first, and what each calls a setting.
    _Called: TypeAlias = Mapping[PydanticBaseSettingsSource, Callable[[str], str]]

__all__ = ["find_data_dir", "load"]

_Model = TypeVar("_Model", bound=DataFolder)

# Kubernetes tells every container of a namespace where a service called "sluice" is, by these.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_FOREIGN_VARIABLES = (f"{VARIABLE_PREFIX}SERVICE_", f"{VARIABLE_PREFIX}PORT")


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
    file = _file(config, environ)
    keys = [key_of(name) for name in Settings.model_fields]
    for key in file.toml_data:
        _refuse_unknown(key, keys, f'{file.toml_file_path}: there is no setting "{key}"')
    variables = [CONFIG_VARIABLE, *map(variable_of, Settings.model_fields)]
    for variable in environ:
        if variable.startswith(VARIABLE_PREFIX) and not variable.startswith(_FOREIGN_VARIABLES):
            _refuse_unknown(variable, variables, f"{variable}: there is no such setting")
    return _build(Settings, flags, environ, file)


def find_data_dir(*, flag: Path | None, config: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Find the data folder alone: what is wrong with other settings is no matter of a command that needs only this.

    Args:
        flag: what `--data-dir` says; None: nothing.
        config: what `--config` says.
        environ: the environment.

    Raises:
        SettingsError: sluice.toml is unreadable, or its data-dir is no name.
    """
    return _build(DataFolder, {"data_dir": flag}, environ, _file(config, environ)).data_dir


def _file(config: str | None, environ: Mapping[str, str]) -> TomlConfigSettingsSource:
    named = config or environ.get(CONFIG_VARIABLE)
    name = named or DEFAULT_CONFIG
    path = Path(name)
    try:
        if named and not path.exists():
            raise SettingsError(f"{name}: no such file", hint="name a file that exists, or leave out --config")
        if path.exists() and not path.is_file():
            raise SettingsError(f"{name}: not an ordinary file")
        source = TomlConfigSettingsSource(Settings, toml_file=name)
    except OSError as exc:
        raise SettingsError(f"{name}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        problem = str(exc)
        raise SettingsError(
            f"{name}: not TOML: {problem[:1].lower()}{problem[1:]}", hint='write lines such as seal-age = "10s"'
        ) from exc
    toml = source.toml_data
    source.init_kwargs = {name: toml[key] for name in Settings.model_fields if (key := key_of(name)) in toml}
    return source


def _build(
    model: type[_Model], flags: Mapping[str, object], environ: Mapping[str, str], file: TomlConfigSettingsSource
) -> _Model:
    command_line = InitSettingsSource(Settings, {name: said for name, said in flags.items() if said is not None})
    environment = EnvSettingsSource(Settings)
    # An empty variable is what compose files make of one that isn't set. The source looks names up in small letters.
    variables = map(variable_of, Settings.model_fields)
    environment.env_vars = {variable.lower(): said for variable in variables if (said := environ.get(variable))}
    called = {
        command_line: flag_of,
        environment: variable_of,
        file: lambda name: f"{file.toml_file_path}: {key_of(name)}",
    }
    try:
        return model(*called)
    except ValidationError as exc:
        raise _in_our_words(exc.errors(include_url=False)[0], called) from exc


def _in_our_words(error: ErrorDetails, called: _Called) -> SettingsError:
    name = str(error["loc"][0])
    said, place = next((found[name], call(name)) for source, call in called.items() if name in (found := source()))
    field, facts = Settings.model_fields[name], error.get("ctx", {})
    form, default = form_of(field), f"the default is {default_text(field)}"
    match error["type"], facts.get("error"):
        case _, BadValue() as problem:
            return SettingsError(f"{place}: {problem.message}", hint=problem.hint or default)
        case "greater_than_equal", _:
            return SettingsError(f'{place}: "{said}" is less than {form.show(facts["ge"])}', hint=default)
        case "less_than_equal", _:
            return SettingsError(f'{place}: "{said}" is more than {form.show(facts["le"])}', hint=default)
        case _:
            choices = ", ".join(get_args(field.annotation))
            return SettingsError(f'{place}: "{error["input"]}" is none of: {choices}', hint=f"write {form.name}")


def _refuse_unknown(word: str, known: list[str], message: str) -> None:
    if word in known:
        return
    close = difflib.get_close_matches(word, known, n=1)
    raise SettingsError(message, hint=f"did you mean {close[0]}?" if close else "see all settings: sluice up --help")
