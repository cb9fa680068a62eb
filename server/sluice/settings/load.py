"""Find every setting's value: flag > environment > sluice.toml > default.

pydantic-settings gives the values their order; no text of its own reaches the operator. An error names the place that
the wrong value came from, in the words of whoever wrote it there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from pydantic import ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from sluice.settings.model import Settings, Written
from sluice.settings.places import (
    CONFIG_VARIABLE,
    VARIABLE_PREFIX,
    ConfigFile,
    SettingsError,
    flag_of,
    key_of,
    nearest,
    read_config,
    variable_of,
)
from sluice.settings.units import BadValue, format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

__all__ = ["load", "written"]

# Kubernetes tells every container of a namespace where a service called "sluice" is, by these.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_FOREIGN_VARIABLES = (f"{VARIABLE_PREFIX}SERVICE_", f"{VARIABLE_PREFIX}PORT")


def load(flags: Mapping[str, object], *, config: str | None = None) -> Settings:
    """Find and check all settings.

    Args:
        flags: what was said on the command line, by the names of the fields of `Settings`; None: it wasn't.
        config: what `--config` says.

    Raises:
        SettingsError: the first that is wrong, in the order of the fields; or a name that no setting has.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    file = read_config(config)
    _refuse_unknown_keys(file)
    _refuse_unknown_variables(os.environ)
    from_file = {name: file.values[key_of(name)] for name in Settings.model_fields if key_of(name) in file.values}

    class FromAllPlaces(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings passes it by name
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=from_file)

    def place_of(name: str) -> str:
        if name in given:
            return flag_of(name)
        is_in_file_only = name in from_file and not os.environ.get(variable_of(name))
        return file.place_of(name) if is_in_file_only else variable_of(name)

    try:
        settings = FromAllPlaces(**cast("dict[str, Any]", given))
    except ValidationError as exc:
        raise _in_our_words(exc.errors()[0], place_of) from exc
    _refuse_what_does_not_fit(settings, place_of)
    return settings


def written(name: str) -> Written:
    """How people write the values of a setting."""
    metadata = get_type_hints(Settings, include_extras=True)[name].__metadata__
    return next(fact for fact in metadata if isinstance(fact, Written))


def _refuse_unknown_keys(file: ConfigFile) -> None:
    known = [key_of(name) for name in Settings.model_fields]
    for key in file.values:
        if key not in known:
            raise SettingsError(f'{file.path}: there is no setting "{key}"', hint=nearest(key, known))


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = [CONFIG_VARIABLE, *(variable_of(name) for name in Settings.model_fields)]
    for variable in environ:
        is_ours = variable.startswith(VARIABLE_PREFIX) and not variable.startswith(_FOREIGN_VARIABLES)
        if is_ours and variable not in known:
            raise SettingsError(f"{variable}: there is no such setting", hint=nearest(variable, known))


def _in_our_words(error: ErrorDetails, place_of: Callable[[str], str]) -> SettingsError:
    name = str(error["loc"][0])
    context = error.get("ctx", {})
    if isinstance(bad := context.get("error"), BadValue):
        return SettingsError(f"{place_of(name)}: {bad.message}", hint=bad.hint)
    show = written(name).show
    if "ge" in context:
        message = f"{show(error['input'])} is less than {show(context['ge'])}"
    elif "le" in context:
        message = f"{show(error['input'])} is more than {show(context['le'])}"
    else:
        message = "not a value of this setting"
    default = Settings.model_fields[name].get_default(call_default_factory=True, validated_data={})
    return SettingsError(f"{place_of(name)}: {message}", hint=f"the default is {show(default)}")


def _refuse_what_does_not_fit(settings: Settings, place_of: Callable[[str], str]) -> None:
    if settings.transcoding == "typed":
        raise SettingsError(
            f"{place_of('transcoding')}: typed is not built yet", hint="leave it out: body takes the same requests"
        )
    if settings.in_flight < settings.max_body:
        raise SettingsError(
            f"{place_of('in_flight')}: {format_size(settings.in_flight)} is less than max-body, "
            f"{format_size(settings.max_body)}: no large request would ever be taken",
            hint="make in-flight a few times as large as max-body",
        )
