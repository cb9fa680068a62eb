"""Options that several commands take, and options made of settings; and the error of whoever uses them wrongly."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from sluice.cli.output import print_line
from sluice.errors import SluiceError
from sluice.settings.places import DEFAULT_CONFIG, DEFAULT_DATA_DIR, flag_of
from sluice.settings.units import BadValue, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "WRONG_USAGE",
    "AsJson",
    "Config",
    "DataDir",
    "SettingsCommand",
    "ShowValues",
    "WrongUsage",
    "data_dir_of",
    "duration_of",
    "existing_data_dir",
    "group",
    "readable",
]


class NoDataFolder(SluiceError):
    """There is no data folder of Sluice."""


class NotReadable(SluiceError):
    """This user may not read the data folder."""


WRONG_USAGE = 2  # the exit code

_NAME_IT = "name the one of the service: --data-dir FOLDER"


class WrongUsage(SluiceError):
    """What was asked for can't be meant; the exit code is 2."""


def group(help_text: str) -> typer.Typer:
    """A command that has commands; alone it prints its help, which is wrong usage."""
    commands = typer.Typer(help=help_text)

    @commands.callback(invoke_without_command=True)
    def _alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print_line(context.get_help())
            raise typer.Exit(WRONG_USAGE)

    return commands


class SettingsCommand(TyperCommand):
    """A command with an option for each setting besides those that it declares; the texts they got are `context.obj`.

    The options are made when the command is used: the settings need pydantic, which `sluice --help` has no time for.
    """

    @cached_property
    def _of_settings(self) -> list[Any]:
        from sluice.settings.model import Settings, default_text, form_of, sentence_of  # noqa: PLC0415  as above

        declared = {option.name for option in self.params}
        options = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option])
            for name, field in Settings.model_fields.items()
            if name not in declared
            for option in [_option(flag_of(name), sentence_of(field), default_text(field), form_of(field).name)]
        ]

        def take(**_: str | None) -> None: ...

        vars(take)["__signature__"] = Signature(options)  # what typer looks at
        maker = typer.Typer(add_completion=False)
        maker.command()(take)
        return list(typer.main.get_command(maker).params)

    def get_params(self, ctx: Any) -> list[Any]:
        """All options in the order of the help: the first declared one, the settings, the other declared ones."""
        first, *others = super().get_params(ctx)
        return [first, *self._of_settings, *others]

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        ctx.obj = {option.name: ctx.params.pop(option.name) for option in self._of_settings}
        return super().invoke(ctx)


def _option(flag: str, sentence: str, default: str, form: str) -> Any:
    return typer.Option(flag, help=f"{sentence} [default: {default}]", metavar=form, show_default=False)


DataDir = Annotated[
    Path | None,
    _option(
        "--data-dir",
        "The data folder.",
        f"SLUICE_DATA_DIR, else data-dir in {DEFAULT_CONFIG}, else ./{DEFAULT_DATA_DIR}",
        "folder",
    ),
]
Config = Annotated[
    str | None,
    _option("--config", "A file of settings.", f"SLUICE_CONFIG, else {DEFAULT_CONFIG} if there is one", "file"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ShowValues = Annotated[
    bool,
    typer.Option(
        "--show-values", help="Unmasked: e-mail addresses, IP addresses, custom properties, keys within events."
    ),
]


def data_dir_of(data_dir: Path | None, config: str | None) -> Path:
    """The data folder that a command works on."""
    from sluice.settings.load import find_data_dir  # noqa: PLC0415  pydantic is no matter of `sluice --help`

    return find_data_dir(flag=data_dir, config=config)


def existing_data_dir(data_dir: Path | None, config: str | None) -> Path:
    """The data folder of a command that has nothing to do without one.

    Raises:
        NoDataFolder: it is not there, or is another folder.
    """
    from sluice.cli.data_folder import is_data_folder  # noqa: PLC0415  structlog is no matter of `sluice --help`

    folder = data_dir_of(data_dir, config)
    if not folder.is_dir():
        raise NoDataFolder(f"{folder}: no such data folder", hint=_NAME_IT)
    if not is_data_folder(folder):
        raise NoDataFolder(f"{folder}: no data folder of Sluice; it has neither keys nor log nor lake", hint=_NAME_IT)
    return folder


@contextmanager
def readable() -> Iterator[None]:
    """Where a command reads a data folder that may be another user's.

    Raises:
        NotReadable: this user may not.
    """
    try:
        yield
    except PermissionError as exc:
        raise NotReadable(
            f"{exc.filename}: {exc.strerror}", hint="run it as the user that runs sluice up, or as one that may read it"
        ) from exc


def duration_of(flag: str, text: str) -> float:
    """An option's duration, in seconds.

    Raises:
        WrongUsage: the text is none.
    """
    try:
        return parse_duration(text)
    except BadValue as exc:
        raise WrongUsage(f"{flag}: {exc.message}", hint=exc.hint) from exc
